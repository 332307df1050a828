// SPDX-License-Identifier: Apache-2.0
// Where the provider is, and as whom the platform speaks to it.
import type { Ldap, Oidc, ProviderSpec, SecretRef } from '../../api/provider';
import { useI18n } from '../../i18n';
import { CopyIcon } from '../../ui/Code';
import { CheckField, SelectField, TextArea, TextField } from '../../ui/Field';
import { ListField, needed, SecretFields } from './fields';

export interface Secret {
  value: string;
  where: SecretRef;
}

interface Props<T> {
  name: string;
  value: T;
  set: (change: Partial<T>) => void;
  secret: Secret;
  setSecret: (change: Partial<Secret>) => void;
  kept: boolean;
  tried: boolean;
}

const plain = (values: string[]) => values.map((value) => ({ value, label: value }));

/** What has to be entered at the provider. */
function Register({ name }: { name: string }) {
  const { t } = useI18n();
  const at = `${window.location.origin}/session/providers/${name || 'NAME'}`;
  const row = (label: string, value: string) => (
    <div>
      <dt>{label}</dt>
      <dd className="row">
        <code className="break">{value}</code>
        {name && <CopyIcon text={value} label={t('providers.copyOne', { name: label })} />}
      </dd>
    </div>
  );
  return (
    <div className="wide provider-register">
      <p className="strong small">{t('providers.register')}</p>
      <dl className="facts">
        {row(t('providers.redirect'), `${at}/callback`)}
        {row(t('providers.backchannel'), `${at}/backchannel`)}
      </dl>
    </div>
  );
}

export function OidcFields({ name, value, set, secret, setSecret, kept, tried }: Props<Oidc>) {
  const { t } = useI18n();
  const open = value.clientSecretRef === undefined;
  const lacks = (text: string | undefined) => (tried && needed(text) ? t('providers.needed') : undefined);
  return (
    <div className="form-grid">
      <Register name={name} />
      <div className="wide">
        <TextField label={t('providers.issuer')} required mono type="url" placeholder="https://sso.corp.example" hint={t('providers.issuerHint')} maxLength={2048} value={value.issuer} error={lacks(value.issuer)} onChange={(event) => set({ issuer: event.target.value.trim() })} />
      </div>
      <TextField label={t('providers.clientId')} required mono maxLength={253} value={value.clientId} error={lacks(value.clientId)} onChange={(event) => set({ clientId: event.target.value.trim() })} />
      <SelectField
        label={t('providers.clientAuth')}
        value={open ? 'none' : (value.clientAuth ?? 'client_secret_basic')}
        onChange={({ target }) => set(target.value === 'none' ? { clientSecretRef: undefined, clientAuth: undefined } : { clientAuth: target.value, clientSecretRef: secret.where })}
        choices={[...plain(['client_secret_basic', 'client_secret_post']), { value: 'none', label: t('providers.authNone') }]}
      />
      {!open && (
        <SecretFields
          label={t('providers.clientSecret')}
          value={secret.value}
          onValue={(text) => setSecret({ value: text })}
          where={secret.where}
          onWhere={(where) => setSecret({ where })}
          kept={kept}
          error={tried && !kept && secret.value === '' ? t('providers.needed') : undefined}
        />
      )}
      <ListField label={t('providers.scopes')} placeholder="openid profile email groups" value={value.scopes} onChange={(scopes) => set({ scopes })} />
      <fieldset className="fieldset">
        <legend className="sr-only">{t('providers.more')}</legend>
        <CheckField label={t('providers.userInfo')} checked={value.userInfo ?? false} onChange={(userInfo) => set({ userInfo })} />
        <CheckField label={t('providers.trustMfa')} checked={value.trustMfa ?? false} onChange={(trustMfa) => set({ trustMfa })} />
        <CheckField label={t('providers.logout')} checked={value.logout ?? false} onChange={(logout) => set({ logout })} />
      </fieldset>
    </div>
  );
}

/** What is usual in the directories that people have. */
const KINDS: Record<string, Partial<Ldap>> = {
  OpenLDAP: { userFilter: '(|(uid={name})(mail={login}))', idAttribute: 'entryUUID', groupFilter: '(member={dn})', groupAttribute: 'cn' },
  'Active Directory': { userFilter: '(sAMAccountName={name})', idAttribute: 'objectGUID', groupFilter: '(member={dn})', groupAttribute: 'cn' },
  'FreeIPA / Red Hat IdM': { userFilter: '(uid={name})', idAttribute: 'ipaUniqueID', groupFilter: '(member={dn})', groupAttribute: 'cn' },
  '389 Directory Server': { userFilter: '(uid={name})', idAttribute: 'nsUniqueId', groupFilter: '(uniqueMember={dn})', groupAttribute: 'cn' },
};

export function LdapFields({ value, set, secret, setSecret, kept, tried }: Props<Ldap>) {
  const { t } = useI18n();
  const lacks = (text: string | undefined) => (tried && needed(text) ? t('providers.needed') : undefined);
  const text = (label: string, field: 'url' | 'bindDn' | 'userBase' | 'userFilter' | 'groupBase' | 'groupFilter' | 'groupAttribute', placeholder: string, hint?: string, required = false) => (
    <TextField label={label} mono spellCheck={false} maxLength={1024} required={required} placeholder={placeholder} hint={hint} value={value[field] ?? ''} error={required ? lacks(value[field]) : undefined} onChange={(event) => set({ [field]: event.target.value })} />
  );
  const kind = Object.keys(KINDS).find((each) => KINDS[each]?.idAttribute === value.idAttribute) ?? '';
  return (
    <div className="form-grid">
      {text(t('providers.url'), 'url', 'ldaps://ldap.corp.example', t('providers.urlHint'), true)}
      <SelectField label={t('providers.kind')} value={kind} onChange={({ target }) => set(KINDS[target.value] ?? {})} choices={[{ value: '', label: t('providers.kindOther') }, ...plain(Object.keys(KINDS))]} />
      <div className="wide">{text(t('providers.bindDn'), 'bindDn', 'cn=search,dc=corp,dc=example', t('providers.bindDnHint'), true)}</div>
      <SecretFields
        label={t('providers.bindPassword')}
        value={secret.value}
        onValue={(typed) => setSecret({ value: typed })}
        where={secret.where}
        onWhere={(where) => setSecret({ where })}
        kept={kept}
        error={tried && !kept && secret.value === '' ? t('providers.needed') : undefined}
      />
      {text(t('providers.userBase'), 'userBase', 'ou=people,dc=corp,dc=example', undefined, true)}
      {text(t('providers.userFilter'), 'userFilter', '(&(objectClass=person)(uid={login}))', t('providers.userFilterHint', { login: '{login}', name: '{name}' }))}
      {text(t('providers.groupBase'), 'groupBase', 'ou=groups,dc=corp,dc=example', t('providers.groupBaseHint'))}
      {text(t('providers.groupFilter'), 'groupFilter', '(member={dn})')}
      <SelectField label={t('providers.idAttribute')} hint={t('providers.idHint')} value={value.idAttribute ?? 'entryUUID'} onChange={(event) => set({ idAttribute: event.target.value })} choices={plain(['entryUUID', 'objectGUID', 'ipaUniqueID', 'nsUniqueId', 'uid'])} />
      <ListField label={t('providers.attributes')} hint={t('providers.attributesHint')} placeholder="memberOf department" value={value.attributes} onChange={(attributes) => set({ attributes })} />
    </div>
  );
}

/** How it is reached, for both sorts. */
export function Network({ spec, set }: { spec: ProviderSpec; set: (change: Partial<ProviderSpec>) => void }) {
  const { t } = useI18n();
  return (
    <details className="more" open={spec.ca !== undefined}>
      <summary>{t('providers.network')}</summary>
      <div className="stack">
        <CheckField label={t('providers.private')} checked={spec.privateNetwork ?? false} onChange={(privateNetwork) => set({ privateNetwork })} />
        <TextArea label={t('providers.ca')} hint={t('providers.caHint')} mono rows={4} spellCheck={false} placeholder="-----BEGIN CERTIFICATE-----" value={spec.ca ?? ''} onChange={(event) => set({ ca: event.target.value })} />
      </div>
    </details>
  );
}
