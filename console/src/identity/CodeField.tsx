// SPDX-License-Identifier: Apache-2.0
import type { Ref } from 'react';
import { TextField } from '../ui/Field';
import './identity.css';

export const CODE_DIGITS = 6;

interface Props {
  label: string;
  value: string;
  onChange: (code: string) => void;
  onComplete?: (code: string) => void;
  error?: string;
  ref?: Ref<HTMLInputElement>;
}

/** Six digits, as an app or a text message shows them; pasted with spaces they are taken, too. */
export function CodeField({ label, value, onChange, onComplete, error, ref }: Props) {
  const take = (text: string) => {
    const digits = text.replace(/\D/g, '').slice(0, CODE_DIGITS);
    onChange(digits);
    if (digits.length === CODE_DIGITS && digits !== value) onComplete?.(digits);
  };
  return <TextField ref={ref} label={label} name="code" className="code-input" inputMode="numeric" autoComplete="one-time-code" required value={value} error={error} onChange={(event) => take(event.target.value)} />;
}
