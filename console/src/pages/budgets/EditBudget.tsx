// SPDX-License-Identifier: Apache-2.0
import { Plus, X } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { useList, useRefresh } from '../../api/hooks';
import { create, limitPolicies, modelServices, namespaces, patch } from '../../api/kube';
import type { LimitPolicy } from '../../api/types';
import { useI18n } from '../../i18n';
import { useNamespace } from '../../lib/namespace';
import { isName } from '../../lib/validate';
import { Button, IconButton } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { SelectField, TextField } from '../../ui/Field';
import { ErrorNotice } from '../../ui/Notice';
import { useTask } from '../../ui/task';
import { toast } from '../../ui/Toast';
import './budgets.css';
import { isKnown, MEASURES, ofSpan, OWNERS, type Row, rowOf, ruleOf, SPANS, spanOf } from './rules';

const RULES_MAX = 16;

const isAmount = (text: string) => /^[1-9]\d{0,15}$/.test(text.replace(/[\s,_]/g, ''));

/** A value that a newer server has stays what it is. */
const other = (known: readonly string[], value: string) => (isKnown(known, value) ? [] : [{ value, label: value }]);

function RuleRow({ row, tried, onChange, onRemove }: { row: Row; tried: boolean; onChange: (change: Partial<Row>) => void; onRemove?: () => void }) {
  const { t } = useI18n();
  return (
    <div className="rule-row">
      <TextField label={t('common.name')} mono maxLength={63} value={row.name} error={tried && !isName(row.name) ? t('budgets.badName') : undefined} onChange={(event) => onChange({ name: event.target.value })} />
      <TextField label={t('budgets.amount')} inputMode="numeric" value={row.limit} error={tried && !isAmount(row.limit) ? t('form.positive') : undefined} onChange={(event) => onChange({ limit: event.target.value })} />
      <SelectField label={t('budgets.measure')} value={row.measure} onChange={(event) => onChange({ measure: event.target.value as Row['measure'] })} choices={[...MEASURES.map((value) => ({ value: value as string, label: t(`budgets.${value}`) })), ...other(MEASURES, row.measure)]} />
      <SelectField label={t('budgets.window')} value={spanOf(row)} onChange={(event) => onChange(ofSpan(event.target.value))} choices={[...SPANS.map((value) => ({ value, label: t(`budgets.per-${value}` as 'budgets.per-minute') })), ...other(SPANS, spanOf(row))]} />
      <SelectField label={t('budgets.per')} value={row.per ?? 'namespace'} onChange={(event) => onChange({ per: event.target.value as Row['per'] })} choices={[...OWNERS.map((value) => ({ value: value as string, label: t(`budgets.of-${value}`) })), ...other(OWNERS, row.per ?? 'namespace')]} />
      {onRemove ? <IconButton label={t('budgets.removeRule', { name: row.name })} icon={X} onClick={onRemove} /> : <span />}
    </div>
  );
}

export function EditBudget({ policy, onClose }: { policy?: LimitPolicy; onClose: () => void }) {
  const { t } = useI18n();
  const current = useNamespace();
  const known = useList(namespaces);
  const refresh = useRefresh();
  const [name, setName] = useState(policy?.metadata.name ?? '');
  const [chosen, setChosen] = useState(policy?.metadata.namespace ?? current);
  const names = (known.data ?? []).map((each) => each.metadata.name);
  const namespace = chosen || names[0] || '';
  const services = useList(modelServices, namespace);
  const [model, setModel] = useState(policy?.spec.modelService ?? '');
  const [list, setList] = useState<Row[]>(() => (policy?.spec.rules ?? [{ name: 'month', measure: 'tokens', limit: 1_000_000, window: 'month', per: 'namespace' }]).map(rowOf));
  const [tried, setTried] = useState(false);
  const { busy, error, run } = useTask();
  const change = (id: number, next: Partial<Row>) => setList((old) => old.map((row) => (row.id === id ? { ...row, ...next } : row)));
  const good = list.every((row) => isName(row.name) && isAmount(row.limit));

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!isName(name) || !good) return;
    void run(async () => {
      const rules = list.map(ruleOf);
      if (policy) await patch(limitPolicies, name, namespace, { spec: { rules, modelService: model || null } });
      else await create(limitPolicies, { metadata: { name, namespace }, spec: { rules, modelService: model || undefined } });
      toast(t(policy ? 'budgets.changed' : 'budgets.created', { name }));
      await refresh(limitPolicies);
      onClose();
    });
  };
  const models = [...new Set([...(services.data ?? []).map((service) => service.metadata.name), ...(model ? [model] : [])])];
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={policy ? t('budgets.edit', { name }) : t('budgets.create')}
      description={t('budgets.editText')}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="edit-budget" busy={busy}>
            {t(policy ? 'common.save' : 'common.create')}
          </Button>
        </>
      }
    >
      <form id="edit-budget" className="stack" noValidate onSubmit={submit}>
        {error !== null && <ErrorNotice error={error} />}
        <div className="form-grid">
          <TextField label={t('common.name')} required mono maxLength={63} placeholder="tenant" readOnly={policy !== undefined} value={name} error={tried && !isName(name) ? t('form.name') : undefined} onChange={(event) => setName(event.target.value)} />
          {policy || known.error ? (
            <TextField label={t('common.namespace')} mono readOnly={policy !== undefined} value={namespace} onChange={(event) => setChosen(event.target.value)} />
          ) : (
            <SelectField label={t('common.namespace')} value={namespace} onChange={(event) => setChosen(event.target.value)} choices={[...new Set([namespace, ...names])].filter(Boolean).map((value) => ({ value, label: value }))} />
          )}
          <SelectField label={t('budgets.model')} value={model} onChange={(event) => setModel(event.target.value)} choices={[{ value: '', label: t('budgets.allModels') }, ...models.map((value) => ({ value, label: value }))]} />
        </div>
        <fieldset className="fieldset stack-s">
          <legend>{t('budgets.rules')}</legend>
          {list.map((row) => (
            <RuleRow key={row.id} row={row} tried={tried} onChange={(next) => change(row.id, next)} onRemove={list.length > 1 ? () => setList(list.filter((each) => each.id !== row.id)) : undefined} />
          ))}
          {list.length < RULES_MAX && (
            <div>
              <Button small icon={Plus} onClick={() => setList([...list, rowOf({ name: `rule-${list.length + 1}`, measure: 'requests', limit: 1000, window: 'day', per: 'user' })])}>
                {t('budgets.addRule')}
              </Button>
            </div>
          )}
        </fieldset>
      </form>
    </Dialog>
  );
}
