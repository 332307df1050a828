// SPDX-License-Identifier: Apache-2.0
import { Eye, EyeOff } from 'lucide-react';
import { type Ref, useState } from 'react';
import { useI18n } from '../i18n';
import { passwordStrength } from '../lib/password';
import { IconButton } from '../ui/Button';
import { TextField } from '../ui/Field';
import './identity.css';

interface Props {
  label: string;
  value: string;
  onChange: (value: string) => void;
  error?: string;
  fresh?: boolean; // a new password, not one that exists
  name?: string;
  ref?: Ref<HTMLInputElement>;
}

export function PasswordField({ label, value, onChange, error, fresh, name = 'password', ref }: Props) {
  const { t } = useI18n();
  const [shown, setShown] = useState(false);
  return (
    <div className="password">
      <TextField
        ref={ref}
        label={label}
        name={name}
        type={shown ? 'text' : 'password'}
        autoComplete={fresh ? 'new-password' : 'current-password'}
        required
        maxLength={1024}
        value={value}
        error={error}
        onChange={(event) => onChange(event.target.value)}
      />
      {!error && <IconButton label={shown ? t('login.hide') : t('login.show')} icon={shown ? EyeOff : Eye} onClick={() => setShown(!shown)} />}
    </div>
  );
}

export function Strength({ password, known }: { password: string; known: string[] }) {
  const { t } = useI18n();
  const strength = passwordStrength(password, known);
  const word = strength === 0 ? t('strength.empty') : t(`strength.${strength}`);
  return (
    <div className="strength">
      <div className={`strength-bar strength-${strength}`} aria-hidden="true">
        <span />
        <span />
        <span />
        <span />
      </div>
      <p className="muted" role="status">
        {word}
      </p>
    </div>
  );
}
