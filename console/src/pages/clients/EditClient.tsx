// SPDX-License-Identifier: Apache-2.0
import { type FormEvent, useState } from 'react';
import { useRefresh } from '../../api/hooks';
import { create, oidcClients, patch } from '../../api/kube';
import type { OidcClient } from '../../api/types';
import { useI18n } from '../../i18n';
import { isName, lines } from '../../lib/validate';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { CheckField, SelectField, TextArea, TextField } from '../../ui/Field';
import { ErrorNotice } from '../../ui/Notice';
import { useTask } from '../../ui/task';
import { toast } from '../../ui/Toast';
import { CODE, CREDENTIALS, GRANTS } from './grants';

type Spec = OidcClient['spec'];

const SCOPES = ['openid', 'profile', 'email', 'groups', 'offline_access', 'drun'];
const METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'];
const START: Spec = { public: false, grantTypes: [CODE, 'refresh_token'], scopes: ['openid', 'profile', 'email'], consentRequired: true };

export function hasSecret(spec: Spec): boolean {
  return !spec.public && (spec.tokenEndpointAuthMethod ?? 'client_secret_basic').startsWith('client_secret_');
}

interface Text {
  redirects: string;
  logouts: string;
  audiences: string;
  access: string;
  refresh: string;
}

const asText = (spec: Spec): Text => ({
  redirects: spec.redirectUris?.join('\n') ?? '',
  logouts: spec.postLogoutRedirectUris?.join('\n') ?? '',
  audiences: spec.audiences?.join('\n') ?? '',
  access: spec.accessTokenTtlSeconds?.toString() ?? '',
  refresh: spec.refreshTokenTtlSeconds?.toString() ?? '',
});

const orNull = <T,>(list: T[]) => (list.length > 0 ? list : null);
const numberOrNull = (text: string) => (text.trim() === '' ? null : Number(text));

/** What the form says, with null for what is to be taken away. */
function specOf(spec: Spec, text: Text) {
  return {
    displayName: spec.displayName?.trim() || null,
    public: spec.public ?? false,
    redirectUris: orNull(lines(text.redirects)),
    postLogoutRedirectUris: orNull(lines(text.logouts)),
    grantTypes: orNull(spec.grantTypes ?? []),
    scopes: orNull(spec.scopes ?? []),
    audiences: orNull(lines(text.audiences)),
    tokenEndpointAuthMethod: spec.public ? 'none' : (spec.tokenEndpointAuthMethod ?? 'client_secret_basic'),
    jwksUri: spec.jwksUri?.trim() || null,
    consentRequired: spec.consentRequired || null,
    requiredAcr: spec.requiredAcr || null,
    subjectType: spec.subjectType || null,
    dpopBoundAccessTokens: spec.dpopBoundAccessTokens || null,
    requirePushedAuthorizationRequests: spec.requirePushedAuthorizationRequests || null,
    backchannelLogoutUri: spec.backchannelLogoutUri?.trim() || null,
    frontchannelLogoutUri: spec.frontchannelLogoutUri?.trim() || null,
    clientUri: spec.clientUri?.trim() || null,
    policyUri: spec.policyUri?.trim() || null,
    tosUri: spec.tosUri?.trim() || null,
    accessTokenTtlSeconds: numberOrNull(text.access),
    refreshTokenTtlSeconds: numberOrNull(text.refresh),
  };
}

function More({ spec, text, set, setText }: { spec: Spec; text: Text; set: (change: Partial<Spec>) => void; setText: (change: Partial<Text>) => void }) {
  const { t } = useI18n();
  const url = (label: string, field: 'backchannelLogoutUri' | 'frontchannelLogoutUri' | 'clientUri' | 'policyUri' | 'tosUri') => (
    <TextField label={label} mono type="url" maxLength={2048} placeholder="https://" value={spec[field] ?? ''} onChange={(event) => set({ [field]: event.target.value })} />
  );
  return (
    <details className="wide more">
      <summary>{t('clients.more')}</summary>
      <div className="form-grid">
        <div className="wide">
          <TextArea label={t('clients.logouts')} mono rows={2} value={text.logouts} onChange={(event) => setText({ logouts: event.target.value })} />
        </div>
        {url(t('clients.backchannel'), 'backchannelLogoutUri')}
        {url(t('clients.frontchannel'), 'frontchannelLogoutUri')}
        <TextField label={t('clients.accessTtl')} inputMode="numeric" placeholder="600" value={text.access} onChange={(event) => setText({ access: event.target.value })} />
        <TextField label={t('clients.refreshTtl')} inputMode="numeric" value={text.refresh} onChange={(event) => setText({ refresh: event.target.value })} />
        <SelectField
          label={t('clients.subject')}
          value={spec.subjectType ?? 'public'}
          onChange={(event) => set({ subjectType: event.target.value })}
          choices={[
            { value: 'public', label: t('clients.subjectPublic') },
            { value: 'pairwise', label: t('clients.subjectPairwise') },
          ]}
        />
        <TextArea label={t('clients.audiences')} mono rows={1} value={text.audiences} onChange={(event) => setText({ audiences: event.target.value })} />
        {url(t('clients.home'), 'clientUri')}
        {url(t('clients.policy'), 'policyUri')}
        {url(t('clients.terms'), 'tosUri')}
        <div className="wide">
          <CheckField label={t('clients.dpop')} checked={spec.dpopBoundAccessTokens ?? false} onChange={(on) => set({ dpopBoundAccessTokens: on })} />
          <CheckField label={t('clients.par')} checked={spec.requirePushedAuthorizationRequests ?? false} onChange={(on) => set({ requirePushedAuthorizationRequests: on })} />
        </div>
      </div>
    </details>
  );
}

export function EditClient({ client, onClose, onMade }: { client?: OidcClient; onClose: () => void; onMade: (made: OidcClient) => void }) {
  const { t } = useI18n();
  const refresh = useRefresh();
  const [name, setName] = useState(client?.metadata.name ?? '');
  const [spec, setSpec] = useState<Spec>(client?.spec ?? START);
  const [text, setTextState] = useState(() => asText(client?.spec ?? START));
  const [tried, setTried] = useState(false);
  const { busy, error, run } = useTask();
  const set = (change: Partial<Spec>) => setSpec((old) => ({ ...old, ...change }));
  const setText = (change: Partial<Text>) => setTextState((old) => ({ ...old, ...change }));
  const grants = spec.grantTypes ?? [];
  const scopes = spec.scopes ?? [];
  const flip = (list: string[], one: string, on: boolean) => (on ? [...list, one] : list.filter((each) => each !== one));
  const wantsUri = grants.includes(CODE) && lines(text.redirects).length === 0;

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if ((!client && !isName(name)) || wantsUri) return;
    void run(async () => {
      const next = specOf(spec, text);
      const filled = Object.fromEntries(Object.entries(next).filter(([, value]) => value !== null)) as Spec;
      const made = client ? await patch(oidcClients, name, undefined, { spec: next }) : await create(oidcClients, { metadata: { name }, spec: filled });
      await refresh(oidcClients);
      onClose();
      if (!client || made.status?.clientSecret) onMade(made);
      else toast(t('clients.changed', { name }));
    });
  };
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={client ? t('clients.edit', { name: client.spec.displayName || name }) : t('clients.create')}
      description={client ? undefined : t('clients.createText')}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="edit-client" busy={busy}>
            {t(client ? 'common.save' : 'common.create')}
          </Button>
        </>
      }
    >
      <form id="edit-client" className="form-grid" noValidate onSubmit={submit}>
        {error !== null && (
          <div className="wide">
            <ErrorNotice error={error} />
          </div>
        )}
        <TextField label={t('clients.id')} required mono maxLength={63} placeholder="notebooks" readOnly={client !== undefined} value={name} error={tried && !client && !isName(name) ? t('form.name') : undefined} onChange={(event) => setName(event.target.value)} />
        <TextField label={t('clients.displayName')} hint={t('clients.displayHint')} maxLength={128} value={spec.displayName ?? ''} onChange={(event) => set({ displayName: event.target.value })} />
        <SelectField
          label={t('clients.type')}
          value={spec.public ? 'public' : 'confidential'}
          onChange={(event) => set({ public: event.target.value === 'public', tokenEndpointAuthMethod: undefined, grantTypes: grants.filter((grant) => event.target.value !== 'public' || grant !== CREDENTIALS) })}
          choices={[
            { value: 'confidential', label: t('clients.confidentialLong') },
            { value: 'public', label: t('clients.publicLong') },
          ]}
        />
        {!spec.public && <SelectField label={t('clients.method')} value={spec.tokenEndpointAuthMethod ?? 'client_secret_basic'} onChange={(event) => set({ tokenEndpointAuthMethod: event.target.value })} choices={METHODS.map((value) => ({ value, label: value }))} />}
        {spec.tokenEndpointAuthMethod === 'private_key_jwt' && !spec.public && (
          <div className="wide">
            <TextField label={t('clients.jwksUri')} mono type="url" placeholder="https://" value={spec.jwksUri ?? ''} onChange={(event) => set({ jwksUri: event.target.value })} />
          </div>
        )}
        <fieldset className="fieldset wide">
          <legend>{t('clients.grants')}</legend>
          <div className="check-grid">
            {GRANTS.filter(({ value }) => !spec.public || value !== CREDENTIALS).map(({ value, label }) => (
              <CheckField key={value} label={t(label)} checked={grants.includes(value)} onChange={(on) => set({ grantTypes: flip(grants, value, on) })} />
            ))}
          </div>
        </fieldset>
        <div className="wide">
          <TextArea label={t('clients.redirects')} hint={t('clients.redirectsHint')} mono rows={2} placeholder="https://app.example/callback" value={text.redirects} error={tried && wantsUri ? t('clients.needsRedirect') : undefined} onChange={(event) => setText({ redirects: event.target.value })} />
        </div>
        <fieldset className="fieldset wide">
          <legend>{t('clients.scopes')}</legend>
          <div className="row-wrap scopes">
            {[...new Set([...SCOPES, ...scopes])].map((scope) => (
              <CheckField key={scope} mono label={scope} checked={scopes.includes(scope)} onChange={(on) => set({ scopes: flip(scopes, scope, on) })} />
            ))}
          </div>
        </fieldset>
        <SelectField
          label={t('clients.acr')}
          value={spec.requiredAcr ?? ''}
          onChange={(event) => set({ requiredAcr: event.target.value || undefined })}
          choices={[
            { value: '', label: t('clients.acrAny') },
            { value: 'urn:drun:trusted-device', label: t('clients.acrDevice') },
            { value: 'urn:drun:mfa', label: t('clients.acrMfa') },
            { value: 'phr', label: t('clients.acrPhr') },
          ]}
        />
        <div className="align-end">
          <CheckField label={t('clients.consent')} checked={spec.consentRequired ?? false} onChange={(consentRequired) => set({ consentRequired })} />
        </div>
        <More spec={spec} text={text} set={set} setText={setText} />
      </form>
    </Dialog>
  );
}
