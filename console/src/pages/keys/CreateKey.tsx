// SPDX-License-Identifier: Apache-2.0
// Making a key. The server's answer holds the secret once; this dialog closes only when the person says
// that it is saved.
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { listOpenAiModels } from '../../api/chat';
import { useList, useRefresh } from '../../api/hooks';
import { apiKeys, create, namespaces } from '../../api/kube';
import type { ApiKey, Limits } from '../../api/types';
import { useI18n } from '../../i18n';
import { DAY_MS } from '../../lib/duration';
import { useNamespace } from '../../lib/namespace';
import { isCidr, isName, lines } from '../../lib/validate';
import { Button } from '../../ui/Button';
import { CodeBlock, Secret } from '../../ui/Code';
import { Dialog } from '../../ui/Dialog';
import { CheckField, SelectField, TextField } from '../../ui/Field';
import { ErrorNotice, Notice } from '../../ui/Notice';

const EXPIRY_DAYS = [7, 30, 90, 365];

interface Form {
  name: string;
  namespace: string;
  models: string[];
  cidrs: string;
  days: string; // '' is never
  requestsPerMinute: string;
  tokensPerMinute: string;
}

type Problems = Partial<Record<keyof Form, string>>;

function limitsOf(form: Form): Limits | undefined {
  const limits: Limits = {};
  for (const key of ['requestsPerMinute', 'tokensPerMinute'] as const) {
    if (form[key].trim() !== '') limits[key] = Number(form[key]);
  }
  return Object.keys(limits).length > 0 ? limits : undefined;
}

function useProblems(form: Form): Problems {
  const { t } = useI18n();
  const problems: Problems = {};
  if (!isName(form.name)) problems.name = t('form.name');
  if (!isName(form.namespace)) problems.namespace = t('form.namespace');
  const wrong = lines(form.cidrs).filter((cidr) => !isCidr(cidr));
  if (wrong.length > 0) problems.cidrs = t('form.cidr', { text: wrong.join(', ') });
  for (const key of ['requestsPerMinute', 'tokensPerMinute'] as const) {
    const text = form[key].trim();
    if (text !== '' && !(Number.isSafeInteger(Number(text)) && Number(text) > 0)) problems[key] = t('form.positive');
  }
  return problems;
}

export function KeyReady({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const { t } = useI18n();
  const [saved, setSaved] = useState(false);
  const secret = apiKey.status?.key ?? '';
  const origin = window.location.origin;
  return (
    <Dialog
      open
      wide
      dismissible={false}
      onClose={onClose}
      title={t('keys.createdTitle', { name: apiKey.metadata.name })}
      footer={
        <div className="between grow">
          <CheckField label={t('keys.saved')} checked={saved} onChange={setSaved} />
          <Button variant="primary" disabled={!saved} onClick={onClose}>
            {t('common.done')}
          </Button>
        </div>
      }
    >
      <Notice tone="warn">{t('keys.once')}</Notice>
      <Secret value={secret} label={t('keys.secret')} />
      <div className="stack-s">
        <h3>{t('keys.use')}</h3>
        <CodeBlock label={t('keys.use')} code={`export DRUN_API_KEY='…'\nexport OPENAI_BASE_URL='${origin}/v1'\ncurl -H "Authorization: Bearer $DRUN_API_KEY" ${origin}/v1/models`} />
      </div>
    </Dialog>
  );
}

export function CreateKey({ onClose }: { onClose: () => void }) {
  const { t, tn } = useI18n();
  const current = useNamespace();
  const known = useList(namespaces);
  const names = (known.data ?? []).map((ns) => ns.metadata.name);
  const [form, setForm] = useState<Form>({ name: '', namespace: current, models: [], cidrs: '', days: '90', requestsPerMinute: '', tokensPerMinute: '' });
  const namespace = form.namespace || names[0] || '';
  const callable = useQuery({ queryKey: ['openai-models'], queryFn: ({ signal }) => listOpenAiModels(signal) });
  const refresh = useRefresh();
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [made, setMade] = useState<ApiKey | null>(null);
  const problems = useProblems({ ...form, namespace });
  const shown = tried ? problems : {};
  const set = (change: Partial<Form>) => setForm((old) => ({ ...old, ...change }));

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (busy || Object.keys(problems).length > 0) return;
    setBusy(true);
    setError(null);
    try {
      const cidrs = lines(form.cidrs);
      const expiresAt = form.days === '' ? undefined : new Date(Date.now() + Number(form.days) * DAY_MS).toISOString().replace(/\.\d+Z$/, 'Z');
      const key = await create(apiKeys, {
        metadata: { name: form.name, namespace },
        spec: { scopes: { models: form.models.length > 0 ? form.models : undefined, cidrs: cidrs.length > 0 ? cidrs : undefined }, expiresAt, limits: limitsOf(form) },
      });
      setMade(key);
      void refresh(apiKeys);
    } catch (cause) {
      setError(cause);
    } finally {
      setBusy(false);
    }
  };

  if (made) return <KeyReady apiKey={made} onClose={onClose} />;
  const options = [...new Set([namespace, ...names])].filter(Boolean).map((name) => ({ value: name, label: name }));
  const toggle = (model: string, on: boolean) => set({ models: on ? [...form.models, model] : form.models.filter((each) => each !== model) });
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={t('keys.create')}
      description={t('keys.createText')}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="create-key" busy={busy}>
            {t('keys.create')}
          </Button>
        </>
      }
    >
      <form id="create-key" className="form-grid" noValidate onSubmit={(event) => void submit(event)}>
        {error !== null && (
          <div className="wide">
            <ErrorNotice error={error} />
          </div>
        )}
        <TextField label={t('common.name')} required maxLength={63} mono placeholder="ci-pipeline" value={form.name} error={shown.name} onChange={(event) => set({ name: event.target.value })} />
        {known.error ? (
          <TextField label={t('common.namespace')} required mono value={namespace} error={shown.namespace} onChange={(event) => set({ namespace: event.target.value })} />
        ) : (
          <SelectField label={t('common.namespace')} choices={options} value={namespace} error={shown.namespace} onChange={(event) => set({ namespace: event.target.value })} />
        )}
        <fieldset className="fieldset wide">
          <legend>{t('keys.models')}</legend>
          <div className="key-models">
            <CheckField label={t('keys.allModels')} checked={form.models.length === 0} onChange={() => set({ models: [] })} />
            {(callable.data ?? []).map((model) => (
              <CheckField key={model} mono label={model} checked={form.models.includes(model)} onChange={(on) => toggle(model, on)} />
            ))}
          </div>
        </fieldset>
        <SelectField
          label={t('keys.expires')}
          value={form.days}
          onChange={(event) => set({ days: event.target.value })}
          choices={[...EXPIRY_DAYS.map((days) => ({ value: String(days), label: tn('keys.inDays', days) })), { value: '', label: t('keys.never') }]}
        />
        <TextField label={t('keys.cidrs')} mono placeholder="203.0.113.0/24" hint={t('keys.cidrsHint')} value={form.cidrs} error={shown.cidrs} onChange={(event) => set({ cidrs: event.target.value })} />
        <fieldset className="fieldset wide">
          <legend>{t('keys.limits')}</legend>
          <div className="limits">
            <TextField label={t('limits.requestsPerMinute')} inputMode="numeric" placeholder={t('limits.none')} value={form.requestsPerMinute} error={shown.requestsPerMinute} onChange={(event) => set({ requestsPerMinute: event.target.value })} />
            <TextField label={t('limits.tokensPerMinute')} inputMode="numeric" placeholder={t('limits.none')} value={form.tokensPerMinute} error={shown.tokensPerMinute} onChange={(event) => set({ tokensPerMinute: event.target.value })} />
          </div>
        </fieldset>
      </form>
    </Dialog>
  );
}
