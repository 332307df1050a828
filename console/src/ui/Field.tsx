// SPDX-License-Identifier: Apache-2.0
// Labelled inputs. A hint and an error are tied to the input; the error is announced when it appears.
import { Switch } from '@base-ui/react/switch';
import { type InputHTMLAttributes, type ReactNode, type Ref, type SelectHTMLAttributes, type TextareaHTMLAttributes, useId } from 'react';
import './field.css';

interface Common {
  label: string;
  hint?: ReactNode;
  error?: string;
  hideLabel?: boolean;
}

function Frame({ id, label, hint, error, hideLabel, children }: Common & { id: string; children: ReactNode }) {
  return (
    <div className="field">
      <label htmlFor={id} className={hideLabel ? 'sr-only' : undefined}>
        {label}
      </label>
      {children}
      {hint && (
        <div className="field-hint" id={`${id}-hint`}>
          {hint}
        </div>
      )}
      {error && (
        <div className="field-error" id={`${id}-error`} role="alert">
          {error}
        </div>
      )}
    </div>
  );
}

function described(id: string, { hint, error }: Common) {
  const ids = [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ');
  return { id, 'aria-describedby': ids || undefined, 'aria-invalid': error ? true : undefined };
}

export function TextField({ label, hint, error, hideLabel, mono, className, ...input }: Common & { mono?: boolean; ref?: Ref<HTMLInputElement> } & InputHTMLAttributes<HTMLInputElement>) {
  const own = useId();
  const id = input.id ?? own;
  return (
    <Frame id={id} label={label} hint={hint} error={error} hideLabel={hideLabel}>
      <input autoComplete="off" {...input} {...described(id, { label, hint, error })} className={`input${mono ? ' mono' : ''} ${className ?? ''}`} />
    </Frame>
  );
}

export function TextArea({ label, hint, error, hideLabel, mono, ...input }: Common & { mono?: boolean; ref?: Ref<HTMLTextAreaElement> } & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error} hideLabel={hideLabel}>
      <textarea {...input} {...described(id, { label, hint, error })} className={`input${mono ? ' mono' : ''}`} />
    </Frame>
  );
}

export interface Choice {
  value: string;
  label: string;
}

export function SelectField({ label, hint, error, hideLabel, choices, ...input }: Common & { choices: Choice[] } & SelectHTMLAttributes<HTMLSelectElement>) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error} hideLabel={hideLabel}>
      <select {...input} {...described(id, { label, hint, error })} className="input select">
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.label}
          </option>
        ))}
      </select>
    </Frame>
  );
}

export function CheckField({ label, checked, onChange, mono }: { label: string; checked: boolean; onChange: (checked: boolean) => void; mono?: boolean }) {
  return (
    <label className="check">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.target.checked)} />
      <span className={mono ? 'mono' : undefined}>{label}</span>
    </label>
  );
}

export function SwitchField({ label, checked, onChange }: { label: string; checked: boolean; onChange: (checked: boolean) => void }) {
  const id = useId();
  return (
    <div className="switch-field">
      <Switch.Root id={id} className="switch" checked={checked} onCheckedChange={onChange} aria-label={label}>
        <Switch.Thumb className="switch-thumb" />
      </Switch.Root>
      <span aria-hidden="true">{label}</span>
    </div>
  );
}
