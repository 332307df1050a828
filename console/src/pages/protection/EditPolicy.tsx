// SPDX-License-Identifier: Apache-2.0
import { Plus, X } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { useRefresh } from '../../api/hooks';
import { amend, create } from '../../api/kube';
import { useI18n } from '../../i18n';
import { isName, lines } from '../../lib/validate';
import { Button, IconButton } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { SelectField, TextArea, TextField } from '../../ui/Field';
import { ErrorNotice } from '../../ui/Notice';
import { useTask } from '../../ui/task';
import { toast } from '../../ui/Toast';
import { type Exclusion, wafPolicies, type WafPolicy } from './kinds';

interface Row {
  id: number;
  rules: string; // ids and tags
  targets: string;
  reason: string;
}

let rows = 0; // a row keeps its fields when another one goes
const rowOf = (exclusion: Exclusion): Row => ({
  id: ++rows,
  rules: [...(exclusion.ruleIds ?? []), ...(exclusion.ruleTags ?? [])].join(', '),
  targets: exclusion.targets?.join(', ') ?? '',
  reason: exclusion.reason ?? '',
});

const listOrNothing = (list: string[]) => (list.length > 0 ? list : undefined);

function exclusionOf(row: Row): Exclusion {
  const words = lines(row.rules);
  const isId = (word: string) => /^\d/.test(word);
  return {
    ruleIds: listOrNothing(words.filter(isId)),
    ruleTags: listOrNothing(words.filter((word) => !isId(word))),
    targets: listOrNothing(lines(row.targets)),
    reason: row.reason.trim() || undefined,
  };
}

const numberOrNull = (text: string) => (text.trim() === '' ? null : Number(text));

export function EditPolicy({ policy, onClose }: { policy?: WafPolicy; onClose: () => void }) {
  const { t } = useI18n();
  const refresh = useRefresh();
  const { spec } = policy ?? { spec: {} as WafPolicy['spec'] };
  const [name, setName] = useState(policy?.metadata.name ?? '');
  const [mode, setMode] = useState<string>(spec.mode ?? '');
  const [level, setLevel] = useState(spec.paranoiaLevel?.toString() ?? '');
  const [threshold, setThreshold] = useState(spec.inboundThreshold?.toString() ?? '');
  const [paths, setPaths] = useState(spec.match?.paths?.join('\n') ?? '');
  const [namespaces, setNamespaces] = useState(spec.match?.namespaces?.join('\n') ?? '');
  const [services, setServices] = useState(spec.match?.modelServices?.join('\n') ?? '');
  const [list, setList] = useState<Row[]>(() => (spec.exclusions ?? []).map(rowOf));
  const [tried, setTried] = useState(false);
  const { busy, error, run } = useTask();
  const change = (id: number, next: Partial<Row>) => setList((old) => old.map((row) => (row.id === id ? { ...row, ...next } : row)));
  const badThreshold = threshold.trim() !== '' && !/^[1-9]\d{0,5}$/.test(threshold.trim());

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!isName(name) || badThreshold) return;
    void run(async () => {
      const match = { paths: listOrNothing(lines(paths)), namespaces: listOrNothing(lines(namespaces)), modelServices: listOrNothing(lines(services)) };
      const matchesAll = Object.values(match).every((each) => each === undefined);
      const exclusions = list.map(exclusionOf);
      const next = { mode: mode || null, paranoiaLevel: numberOrNull(level), inboundThreshold: numberOrNull(threshold), exclusions: exclusions.length > 0 ? exclusions : null };
      // A merge patch keeps what is not named, so the match is written with what goes, too.
      const cut = { paths: match.paths ?? null, namespaces: match.namespaces ?? null, modelServices: match.modelServices ?? null };
      if (policy) await amend(wafPolicies, policy, { ...next, match: matchesAll ? null : cut });
      else await create(wafPolicies, { metadata: { name }, spec: { ...(Object.fromEntries(Object.entries(next).filter(([, value]) => value !== null)) as WafPolicy['spec']), ...(!matchesAll && { match }) } });
      toast(t('waf.saved', { name }), t('waf.excludedSoon'));
      await refresh(wafPolicies);
      onClose();
    });
  };
  const unset = { value: '', label: t('waf.notSaid') };
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={policy ? name : t('waf.newPolicy')}
      description={t('waf.editPolicyText')}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="edit-waf-policy" busy={busy}>
            {t(policy ? 'common.save' : 'common.create')}
          </Button>
        </>
      }
    >
      <form id="edit-waf-policy" className="stack" noValidate onSubmit={submit}>
        {error !== null && <ErrorNotice error={error} />}
        <div className="form-grid">
          <TextField label={t('common.name')} mono maxLength={63} readOnly={policy !== undefined} value={name} error={tried && !isName(name) ? t('form.name') : undefined} onChange={(event) => setName(event.target.value)} />
          <SelectField label={t('waf.mode')} value={mode} onChange={(event) => setMode(event.target.value)} choices={[unset, ...(['Block', 'Detect', 'Off'] as const).map((value) => ({ value, label: t(`waf.mode-${value}`) }))]} />
          <SelectField label={t('waf.paranoia')} value={level} onChange={(event) => setLevel(event.target.value)} choices={[unset, ...['1', '2', '3', '4'].map((value) => ({ value, label: value }))]} />
          <TextField label={t('waf.threshold')} inputMode="numeric" value={threshold} placeholder={t('waf.notSaid')} error={tried && badThreshold ? t('form.positive') : undefined} onChange={(event) => setThreshold(event.target.value)} />
        </div>
        <fieldset className="fieldset">
          <legend>{t('waf.match')}</legend>
          <div className="form-grid">
            <TextArea label={t('waf.paths')} mono rows={2} spellCheck={false} value={paths} placeholder="/v1/chat/completions" onChange={(event) => setPaths(event.target.value)} />
            <TextArea label={t('waf.services')} mono rows={2} spellCheck={false} value={services} placeholder="research/llama" onChange={(event) => setServices(event.target.value)} />
            <TextArea label={t('waf.namespaces')} mono rows={2} spellCheck={false} value={namespaces} placeholder="research" onChange={(event) => setNamespaces(event.target.value)} />
          </div>
        </fieldset>
        <fieldset className="fieldset stack-s">
          <legend>{t('waf.exclusions')}</legend>
          {list.map((row) => (
            <div key={row.id} className="exclusion-row">
              <TextField label={t('waf.ruleIds')} mono value={row.rules} placeholder="942100" onChange={(event) => change(row.id, { rules: event.target.value })} />
              <TextField label={t('waf.targets')} mono value={row.targets} placeholder="ARGS:comment" onChange={(event) => change(row.id, { targets: event.target.value })} />
              <TextField label={t('waf.reason')} value={row.reason} onChange={(event) => change(row.id, { reason: event.target.value })} />
              <IconButton label={t('waf.removeExclusion')} icon={X} onClick={() => setList(list.filter((each) => each.id !== row.id))} />
            </div>
          ))}
          <div>
            <Button small icon={Plus} onClick={() => setList([...list, rowOf({})])}>
              {t('waf.addExclusion')}
            </Button>
          </div>
        </fieldset>
      </form>
    </Dialog>
  );
}
