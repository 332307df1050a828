// SPDX-License-Identifier: Apache-2.0
import { useI18n } from '../i18n';
import { PasswordField, Strength } from './PasswordField';

export const MIN_LENGTH = 12;

export const isLong = (password: string) => [...password].length >= MIN_LENGTH;

/** A password that is to be: what is wrong with it is said early, the server has the last word. */
export function NewPassword({ value, onChange, known, error, tried, label }: { value: string; onChange: (next: string) => void; known: string[]; error?: string; tried: boolean; label?: string }) {
  const { t } = useI18n();
  const short = tried && !isLong(value) ? t('setup.short', { n: MIN_LENGTH }) : undefined;
  return (
    <>
      <PasswordField fresh name="new-password" label={label ?? t('password.new')} value={value} onChange={onChange} error={short ?? error} />
      <Strength password={value} known={known} />
    </>
  );
}
