// SPDX-License-Identifier: Apache-2.0
import { type FormEvent, Fragment, useState } from 'react';
import { useList, useRefresh } from '../../api/hooks';
import { amend, create, modelServices, namespaces } from '../../api/kube';
import { useI18n } from '../../i18n';
import { useNamespace } from '../../lib/namespace';
import { isName } from '../../lib/validate';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { SelectField, TextField } from '../../ui/Field';
import { ErrorNotice, Notice } from '../../ui/Notice';
import { useTask } from '../../ui/task';
import { toast } from '../../ui/Toast';
import { ACTIONS, cell, DETECTORS, type Group, GROUPS, type Matrix, matrixOf, rulesOf, usual, type Way } from './detectors';
import { type GuardAction, guardPolicies, type GuardPolicy } from './kinds';

const DEFAULTS = 'drun-system';

function Row({ name, label, hint, matrix, onSet, wide }: { name: string; label: string; hint: string; matrix: Matrix; onSet: (way: Way, action: string) => void; wide?: boolean }) {
  const { t } = useI18n();
  return (
    <tr className={wide ? 'guard-wide' : undefined}>
      <th scope="row">
        <span className={wide ? 'strong' : 'mono'}>{label}</span> <span className="muted small">{hint}</span>
      </th>
      {(['request', 'answer'] as const).map((way) => (
        <td key={way}>
          <SelectField
            hideLabel
            label={`${label}: ${t(`guard.way-${way}`)}`}
            value={matrix.get(cell(way, name)) ?? ''}
            onChange={(event) => onSet(way, event.target.value)}
            choices={[{ value: '', label: '–' }, ...ACTIONS.map((value) => ({ value, label: t(`guard.action-${value}`) }))]}
          />
        </td>
      ))}
    </tr>
  );
}

export function EditGuard({ policy, onClose }: { policy?: GuardPolicy; onClose: () => void }) {
  const { t } = useI18n();
  const current = useNamespace();
  const refresh = useRefresh();
  const known = useList(namespaces);
  const names = [...new Set([DEFAULTS, ...(known.data ?? []).map((each) => each.metadata.name)])];
  const [name, setName] = useState(policy?.metadata.name ?? '');
  const [chosen, setChosen] = useState(policy?.metadata.namespace ?? current);
  const namespace = chosen || names.find((each) => each !== DEFAULTS) || DEFAULTS;
  const services = useList(modelServices, namespace);
  const [model, setModel] = useState(policy?.spec.modelService ?? '');
  const [matrix, setMatrix] = useState<Matrix>(() => matrixOf(policy?.spec.rules ?? []));
  const [open, setOpen] = useState<Set<Group>>(() => new Set(GROUPS.filter((group) => DETECTORS[group].some((each) => matrix.has(cell('request', each)) || matrix.has(cell('answer', each))))));
  const [tried, setTried] = useState(false);
  const { busy, error, run } = useTask();
  const rules = rulesOf(matrix);
  const set = (detector: string) => (way: Way, action: string) => {
    const next = new Map(matrix);
    if (action) next.set(cell(way, detector), action as GuardAction);
    else next.delete(cell(way, detector));
    setMatrix(next);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!isName(name) || rules.length === 0) return;
    void run(async () => {
      if (policy) await amend(guardPolicies, policy, { rules, modelService: model || null });
      else await create(guardPolicies, { metadata: { name, namespace }, spec: { rules, ...(model && { modelService: model }) } });
      toast(t('waf.saved', { name }), t('guard.savedSoon'));
      await refresh(guardPolicies);
      onClose();
    });
  };
  const models = [...new Set([...(services.data ?? []).map((service) => service.metadata.name), ...(model ? [model] : [])])];
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={policy ? name : t('guard.new')}
      description={t('guard.editText')}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="edit-guard" busy={busy}>
            {t(policy ? 'common.save' : 'common.create')}
          </Button>
        </>
      }
    >
      <form id="edit-guard" className="stack" noValidate onSubmit={submit}>
        {error !== null && <ErrorNotice error={error} />}
        {tried && rules.length === 0 && <Notice tone="warn">{t('guard.saysNothing')}</Notice>}
        <div className="form-grid">
          <TextField label={t('common.name')} mono maxLength={63} readOnly={policy !== undefined} value={name} error={tried && !isName(name) ? t('form.name') : undefined} onChange={(event) => setName(event.target.value)} />
          {policy ? (
            <TextField label={t('common.namespace')} mono readOnly value={namespace} />
          ) : (
            <SelectField label={t('common.namespace')} value={namespace} onChange={(event) => setChosen(event.target.value)} choices={names.map((value) => ({ value, label: value === DEFAULTS ? t('guard.everywhereOf', { name: value }) : value }))} />
          )}
          <SelectField label={t('guard.model')} value={model} onChange={(event) => setModel(event.target.value)} choices={[{ value: '', label: t('guard.allModels') }, ...models.map((value) => ({ value, label: value }))]} />
        </div>
        <table className="guard-table">
          <caption className="sr-only">{t('guard.says')}</caption>
          <thead>
            <tr>
              <th scope="col">{t('guard.detector')}</th>
              <th scope="col">{t('guard.way-request')}</th>
              <th scope="col">{t('guard.way-answer')}</th>
            </tr>
          </thead>
          <tbody>
            <Row wide name="all" label={t('guard.all')} hint="" matrix={matrix} onSet={set('all')} />
            {GROUPS.map((group) => (
              <Fragment key={group}>
                <Row wide name={group} label={t(`guard.group-${group}`)} hint="" matrix={matrix} onSet={set(group)} />
                {open.has(group) ? (
                  DETECTORS[group].map((each) => <Row key={each} name={each} label={each} hint={t('guard.usual', { action: t(`guard.action-${usual(group, each)}`) })} matrix={matrix} onSet={set(each)} />)
                ) : (
                  <tr>
                    <td colSpan={3}>
                      <Button small variant="ghost" onClick={() => setOpen(new Set([...open, group]))}>
                        {t('guard.each', { n: DETECTORS[group].length, group: t(`guard.group-${group}`) })}
                      </Button>
                    </td>
                  </tr>
                )}
              </Fragment>
            ))}
          </tbody>
        </table>
      </form>
    </Dialog>
  );
}
