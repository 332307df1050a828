// SPDX-License-Identifier: Apache-2.0
import { useEffect, useId, useState } from 'react';
import { useI18n } from '../../i18n';
import { SelectField, TextField } from '../../ui/Field';

export interface FilterState {
  event: string;
  actor: string;
  outcome: string;
  range: string;
  from: string;
  to: string;
}

const EVENTS = [
  'drun.api.request',
  'drun.auth.*',
  'drun.auth.login',
  'drun.auth.logout',
  'drun.auth.token',
  'drun.auth.apikey.*',
  'drun.model.call',
  'drun.posture.change',
  'drun.sandbox.*',
  'drun.kms.*',
  'drun.audit.*',
  'drun.process.*',
];

const PAUSE_MS = 350;

/** A text filter that asks when the typing pauses. */
function Typed({ label, value, onChange, list, example }: { label: string; value: string; onChange: (value: string) => void; list?: string[]; example: string }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onChange(text.trim()), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, value, onChange]);
  const listId = useId();
  return (
    <>
      <TextField label={label} type="search" spellCheck={false} placeholder={example} value={text} list={list && listId} onChange={(event) => setText(event.target.value)} />
      {list && (
        <datalist id={listId}>
          {list.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
    </>
  );
}

export function Filters({ state, onChange }: { state: FilterState; onChange: (change: Partial<FilterState>) => void }) {
  const { t } = useI18n();
  return (
    <div className="audit-filters toolbar" role="search" aria-label={t('audit.filters')}>
      <Typed label={t('audit.event')} value={state.event} onChange={(event) => onChange({ event })} list={EVENTS} example="drun.auth.*" />
      <Typed label={t('audit.actor')} value={state.actor} onChange={(actor) => onChange({ actor })} example="alice" />
      <SelectField
        label={t('audit.outcome')}
        value={state.outcome}
        onChange={(event) => onChange({ outcome: event.target.value })}
        choices={[
          { value: '', label: t('audit.any') },
          { value: 'success', label: t('outcome.success') },
          { value: 'denied', label: t('outcome.denied') },
          { value: 'failure', label: t('outcome.failure') },
        ]}
      />
      <SelectField
        label={t('audit.time')}
        value={state.range}
        onChange={(event) => onChange({ range: event.target.value })}
        choices={[
          { value: '15m', label: t('audit.range15m') },
          { value: '1h', label: t('audit.range1h') },
          { value: '24h', label: t('audit.range24h') },
          { value: '7d', label: t('audit.range7d') },
          { value: '30d', label: t('audit.range30d') },
          { value: 'all', label: t('audit.rangeAll') },
          { value: 'custom', label: t('audit.rangeCustom') },
        ]}
      />
      {state.range === 'custom' && (
        <>
          <TextField label={t('audit.from')} type="datetime-local" value={state.from} onChange={(event) => onChange({ from: event.target.value })} />
          <TextField label={t('audit.to')} type="datetime-local" value={state.to} onChange={(event) => onChange({ to: event.target.value })} />
        </>
      )}
    </div>
  );
}
