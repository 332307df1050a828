// SPDX-License-Identifier: Apache-2.0
// One identity provider, new or there: where it is, whose users its accounts are, what its claims become.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { RefreshCw } from 'lucide-react';
import { type FormEvent, useRef, useState } from 'react';
import { useLocation, useParams } from 'wouter';
import { create, get, identityProviders, replace } from '../../api/kube';
import type { ProviderSpec, SecretRef } from '../../api/provider';
import type { IdentityProvider } from '../../api/types';
import { useI18n } from '../../i18n';
import { isName } from '../../lib/validate';
import { Button, LinkButton } from '../../ui/Button';
import { CheckField, TextField } from '../../ui/Field';
import { ErrorNotice, ErrorView, Notice, Skeleton } from '../../ui/Notice';
import { PageHeader, Panel } from '../../ui/Page';
import { useTask } from '../../ui/task';
import { Ago } from '../../ui/Time';
import { toast } from '../../ui/Toast';
import { LdapFields, Network, OidcFields, type Secret } from './Connection';
import { ListField, needed } from './fields';
import { MappingFields, MappingPreview } from './MappingFields';
import './providers.css';
import { KEY, putSecret } from './secret';
import { checkNow, conditionOf, ProviderState, titleOf } from './state';

const LIST = '/access/providers';

const START: Record<'oidc' | 'ldap', ProviderSpec> = {
  oidc: { oidc: { issuer: '', clientId: '', clientAuth: 'client_secret_basic', clientSecretRef: { namespace: 'default', name: '', key: KEY }, scopes: ['openid', 'profile', 'email'] }, accounts: { create: true }, mapping: { groups: [] } },
  ldap: { ldap: { url: '', bindDn: '', userBase: '', passwordSecretRef: { namespace: 'default', name: '', key: KEY } }, accounts: { create: true }, mapping: { groups: [] } },
};

/** Without what was left empty: the server then takes what is usual. */
function pruned<T>(value: T): T {
  if (Array.isArray(value)) return value.map((each: unknown) => pruned(each)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value)
    .map(([key, each]) => [key, pruned(each as unknown)] as const)
    .filter(([, each]) => each !== undefined && each !== '' && !(Array.isArray(each) && each.length === 0));
  return Object.fromEntries(kept) as T;
}

const refOf = (spec: ProviderSpec): SecretRef | undefined => spec.oidc?.clientSecretRef ?? spec.ldap?.passwordSecretRef;
const complete = ({ oidc, ldap }: ProviderSpec) => (oidc ? !needed(oidc.issuer) && !needed(oidc.clientId) : !needed(ldap?.url) && !needed(ldap?.bindDn) && !needed(ldap?.userBase));

/** The form, with what is in it. */
function useDraft(sort: 'oidc' | 'ldap', object: IdentityProvider | undefined) {
  const [name, setName] = useState(object?.metadata.name ?? '');
  const [spec, setSpec] = useState<ProviderSpec>(() => object?.spec ?? START[sort]);
  const [value, setValue] = useState('');
  const [where, setWhere] = useState<SecretRef>(() => refOf(object?.spec ?? START[sort]) ?? { namespace: 'default', name: '', key: KEY });
  const kept = object !== undefined && refOf(object.spec) !== undefined;
  const set = (change: Partial<ProviderSpec>) => setSpec((old) => ({ ...old, ...change }));
  const secret: Secret = { value, where: { ...where, name: where.name || (name && `${name}-login`) } };
  /** The secret's place goes into the object when there is one. */
  const whole = (): ProviderSpec => {
    const ref = secret.where;
    if (spec.oidc) return pruned({ ...spec, oidc: { ...spec.oidc, clientSecretRef: spec.oidc.clientSecretRef && ref } });
    return pruned({ ...spec, ldap: spec.ldap && { ...spec.ldap, passwordSecretRef: ref } });
  };
  const hasSecret = spec.ldap !== undefined || spec.oidc?.clientSecretRef !== undefined;
  const good = isName(name) && complete(spec) && (!hasSecret || kept || value !== '') && (spec.mapping?.groups ?? []).every(({ claim }) => claim.trim() !== '');
  const setSecret = (change: Partial<Secret>) => {
    if (change.value !== undefined) setValue(change.value);
    if (change.where !== undefined) setWhere(change.where);
  };
  return { name, setName, spec, set, secret, setSecret, kept, hasSecret, whole, good };
}

function General({ draft, isNew, tried }: { draft: ReturnType<typeof useDraft>; isNew: boolean; tried: boolean }) {
  const { t } = useI18n();
  const { name, setName, spec, set } = draft;
  return (
    <Panel title={t('providers.general')}>
      <div className="form-grid">
        <TextField label={t('common.name')} required mono maxLength={63} placeholder="corp" readOnly={!isNew} hint={isNew ? t('providers.nameHint') : undefined} value={name} error={tried && !isName(name) ? t('form.name') : undefined} onChange={(event) => setName(event.target.value.trim())} />
        <TextField label={t('providers.displayName')} maxLength={128} placeholder="Example Corp" hint={t('providers.displayHint')} value={spec.displayName ?? ''} onChange={(event) => set({ displayName: event.target.value })} />
        <ListField label={t('providers.domains')} hint={t('providers.domainsHint')} placeholder="corp.example" value={spec.domains} onChange={(domains) => set({ domains })} />
        <fieldset className="fieldset">
          <legend className="sr-only">{t('common.state')}</legend>
          <CheckField label={t('providers.hidden')} checked={spec.hidden ?? false} onChange={(hidden) => set({ hidden })} />
          <CheckField label={t('providers.off')} checked={spec.disabled ?? false} onChange={(disabled) => set({ disabled })} />
        </fieldset>
      </div>
    </Panel>
  );
}

function Accounts({ spec, set }: { spec: ProviderSpec; set: (change: Partial<ProviderSpec>) => void }) {
  const { t } = useI18n();
  const accounts = spec.accounts ?? {};
  const put = (change: NonNullable<ProviderSpec['accounts']>) => set({ accounts: { ...accounts, ...change } });
  return (
    <Panel title={t('providers.accounts')} text={t('providers.accountsText')}>
      <fieldset className="fieldset">
        <legend className="sr-only">{t('providers.accounts')}</legend>
        <CheckField label={t('providers.create')} checked={accounts.create ?? false} onChange={(on) => put({ create: on })} />
        <CheckField label={t('providers.linkByEmail')} checked={accounts.linkByEmail ?? false} onChange={(linkByEmail) => put({ linkByEmail })} />
        {accounts.linkByEmail && <CheckField label={t('providers.verified')} checked={accounts.emailsAreVerified ?? false} onChange={(emailsAreVerified) => put({ emailsAreVerified })} />}
        <CheckField label={t('providers.update')} checked={accounts.update ?? true} onChange={(update) => put({ update })} />
      </fieldset>
      {accounts.linkByEmail && <Notice tone="warn">{t('providers.linkWarning')}</Notice>}
    </Panel>
  );
}

/** What was seen of it, and the button that looks again. */
function State({ object, onFresh }: { object: IdentityProvider; onFresh: (next: IdentityProvider) => void }) {
  const { t } = useI18n();
  const { busy, error, run } = useTask();
  const condition = conditionOf(object);
  return (
    <Panel
      title={t('common.state')}
      actions={
        <Button small icon={RefreshCw} busy={busy} disabled={object.spec.disabled} onClick={() => void run(async () => onFresh(await checkNow(object.metadata.name)))}>
          {t('providers.check')}
        </Button>
      }
    >
      <div className="stack-s" aria-live="polite">
        {error !== null && <ErrorNotice error={error} />}
        <p className="row-wrap">
          <ProviderState provider={object} busy={busy} />
          {condition?.lastTransitionTime && !object.spec.disabled && (
            <span className="muted small">
              {t('providers.since')} <Ago at={condition.lastTransitionTime} />
            </span>
          )}
        </p>
        {condition && condition.status !== 'True' && !object.spec.disabled && <Notice tone="bad">{condition.message}</Notice>}
      </div>
    </Panel>
  );
}

function Form({ sort, object, onFresh }: { sort: 'oidc' | 'ldap'; object?: IdentityProvider; onFresh?: (next: IdentityProvider) => void }) {
  const { t } = useI18n();
  const [, navigate] = useLocation();
  const client = useQueryClient();
  const draft = useDraft(sort, object);
  const { name, spec, set, secret, setSecret, kept } = draft;
  const [tried, setTried] = useState(false);
  const { busy, error, run } = useTask();
  const form = useRef<HTMLFormElement>(null);

  const save = async () => {
    if (draft.hasSecret && secret.value !== '') await putSecret(secret.where, secret.value);
    const next = draft.whole();
    if (object) {
      // A new status is no change of somebody else's.
      const now = await get(identityProviders, name);
      const base = JSON.stringify(now.spec) === JSON.stringify(object.spec) ? now : object;
      await replace(identityProviders, { ...base, spec: next });
    } else await create(identityProviders, { metadata: { name }, spec: next });
    const shown = spec.displayName || name;
    const condition = next.disabled ? undefined : conditionOf(await checkNow(name).catch(() => ({}) as IdentityProvider));
    if (condition?.status === 'False') toast(t(object ? 'objects.changed' : 'objects.created', { name: shown }), t('providers.answersNot', { name: shown }));
    else toast(t(object ? 'objects.changed' : 'objects.created', { name: shown }), condition && t('providers.answers', { name: shown }));
    await client.invalidateQueries({ queryKey: ['list', identityProviders.plural] });
    await client.invalidateQueries({ queryKey: ['provider', name] });
    navigate(condition?.status === 'False' ? `${LIST}/${name}` : LIST);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (draft.good) void run(save);
    else setTimeout(() => form.current?.querySelector<HTMLElement>('[aria-invalid]')?.focus());
  };
  const shared = { name, secret, setSecret, kept, tried };
  return (
    <form ref={form} className="page" noValidate onSubmit={submit}>
      {object && onFresh && <State object={object} onFresh={onFresh} />}
      <General draft={draft} isNew={!object} tried={tried} />
      <Panel title={t('providers.connection')} text={t(sort === 'oidc' ? 'providers.oidcText' : 'providers.ldapText')}>
        <div className="stack">
          {spec.oidc && <OidcFields {...shared} value={spec.oidc} set={(change) => set({ oidc: { ...(spec.oidc ?? { issuer: '', clientId: '' }), ...change } })} />}
          {spec.ldap && <LdapFields {...shared} value={spec.ldap} set={(change) => set({ ldap: { ...(spec.ldap ?? { url: '', bindDn: '', userBase: '' }), ...change } })} />}
          <Network spec={spec} set={set} />
        </div>
      </Panel>
      <Accounts spec={spec} set={set} />
      <Panel title={t('providers.mapping')}>
        <MappingFields mapping={spec.mapping ?? {}} tried={tried} set={(change) => set({ mapping: { ...spec.mapping, ...change } })} />
      </Panel>
      <Panel title={t('providers.preview')} text={t('providers.previewText')}>
        <MappingPreview mapping={spec.mapping ?? {}} sort={sort} />
      </Panel>
      {error !== null && <ErrorNotice error={error} />}
      <div className="provider-save">
        <LinkButton href={LIST}>{t('common.cancel')}</LinkButton>
        <Button variant="primary" type="submit" busy={busy}>
          {t(object ? 'providers.save' : 'providers.createIt')}
        </Button>
      </div>
    </form>
  );
}

export default function EditProvider() {
  const { t } = useI18n();
  const { name, type } = useParams<{ name?: string; type?: string }>();
  const client = useQueryClient();
  const key = ['provider', name];
  // As it was opened: what somebody else changes meanwhile is told when it is saved.
  const query = useQuery({ queryKey: key, queryFn: ({ signal }) => get(identityProviders, name ?? '', undefined, signal), enabled: name !== undefined, refetchOnWindowFocus: false });
  const object = query.data;
  const back = { href: LIST, label: t('objects.providers') };
  if (name === undefined) {
    const sort = type === 'ldap' ? 'ldap' : 'oidc';
    return (
      <>
        <PageHeader back={back} title={t(sort === 'ldap' ? 'providers.newLdap' : 'providers.newOidc')} text={t(sort === 'ldap' ? 'providers.newLdapText' : 'providers.newOidcText')} />
        <Form key={sort} sort={sort} />
      </>
    );
  }
  return (
    <>
      <PageHeader back={back} title={object ? titleOf(object) : name} text={object && t(object.spec.ldap ? 'providers.ldap' : 'providers.oidc')} />
      {query.error && !object && <ErrorView error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && (
        <Panel>
          <Skeleton lines={8} />
        </Panel>
      )}
      {object && <Form key={object.metadata.uid} sort={object.spec.ldap ? 'ldap' : 'oidc'} object={object} onFresh={(next) => client.setQueryData(key, next)} />}
    </>
  );
}
