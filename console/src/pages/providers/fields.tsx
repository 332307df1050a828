// SPDX-License-Identifier: Apache-2.0
// Inputs that the forms of both sorts share.
import { useState } from 'react';
import type { SecretRef } from '../../api/provider';
import { useI18n } from '../../i18n';
import { lines } from '../../lib/validate';
import { TextField } from '../../ui/Field';

export const needed = (text: string | undefined) => !text?.trim();

/** Several words in one field. */
export function ListField({ label, hint, value, placeholder, onChange }: { label: string; hint?: string; value: string[] | undefined; placeholder?: string; onChange: (list: string[]) => void }) {
  const [text, setText] = useState(value?.join(' ') ?? '');
  return (
    <TextField
      label={label}
      hint={hint}
      mono
      spellCheck={false}
      placeholder={placeholder}
      value={text}
      onChange={(event) => {
        setText(event.target.value);
        onChange(lines(event.target.value));
      }}
    />
  );
}

interface SecretProps {
  label: string;
  value: string;
  onValue: (value: string) => void;
  where: SecretRef;
  onWhere: (where: SecretRef) => void;
  /** there is one already */
  kept: boolean;
  error?: string;
}

/** The value goes to a Secret and is never shown again. */
export function SecretFields({ label, value, onValue, where, onWhere, kept, error }: SecretProps) {
  const { t } = useI18n();
  return (
    <>
      <TextField label={label} type="password" autoComplete="new-password" maxLength={4096} hint={t(kept ? 'providers.secretKept' : 'providers.secretHint')} error={error} value={value} onChange={(event) => onValue(event.target.value)} />
      <div className="form-grid">
        <TextField label={t('providers.secretNamespace')} mono maxLength={63} value={where.namespace} onChange={(event) => onWhere({ ...where, namespace: event.target.value.trim() })} />
        <TextField label={t('providers.secretName')} mono maxLength={253} value={where.name} onChange={(event) => onWhere({ ...where, name: event.target.value.trim() })} />
      </div>
    </>
  );
}
