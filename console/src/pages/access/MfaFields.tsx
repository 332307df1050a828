// SPDX-License-Identifier: Apache-2.0
import type { MfaPolicy } from '../../api/types';
import { useI18n } from '../../i18n';
import { DAY_MS } from '../../lib/duration';
import { CheckField, SelectField } from '../../ui/Field';

export const METHODS = ['webauthn', 'totp', 'sms', 'recovery'] as const;
const DAY_SEC = DAY_MS / 1000;

/** undefined: nothing is demanded here, and the object needs no such field. */
export function MfaFields({ value, onChange }: { value: MfaPolicy | undefined; onChange: (next: MfaPolicy | undefined) => void }) {
  const { t, tn } = useI18n();
  const policy = value ?? {};
  const set = (change: Partial<MfaPolicy>) => {
    const next = { ...policy, ...change };
    onChange(next.required || next.methods?.length ? next : undefined);
  };
  const methods = policy.methods ?? [];
  const days = [0, 1, 3, 7, 14, 30];
  const grace = Math.round((policy.graceSeconds ?? 0) / DAY_SEC);
  return (
    <fieldset className="fieldset wide">
      <legend>{t('access.mfa')}</legend>
      <CheckField label={t('access.mfaRequired')} checked={policy.required ?? false} onChange={(required) => set({ required })} />
      {policy.required && (
        <div className="form-grid fieldset-more">
          <SelectField
            label={t('access.mfaLevel')}
            value={policy.level ?? 'mfa'}
            onChange={(event) => set({ level: event.target.value as MfaPolicy['level'] })}
            choices={[
              { value: 'mfa', label: t('access.mfaAny') },
              { value: 'phishing-resistant', label: t('access.mfaPasskey') },
            ]}
          />
          <SelectField
            label={t('access.mfaGrace')}
            value={String(grace)}
            onChange={(event) => set({ graceSeconds: Number(event.target.value) * DAY_SEC || undefined })}
            choices={[...new Set([...days, grace])].sort((a, b) => a - b).map((n) => ({ value: String(n), label: n === 0 ? t('access.mfaNow') : tn('access.days', n) }))}
          />
        </div>
      )}
      <p className="field-hint">{t('access.mfaMethods')}</p>
      <div className="row-wrap">
        {METHODS.map((method) => (
          <CheckField key={method} label={t(`access.method-${method}`)} checked={methods.includes(method)} onChange={(on) => set({ methods: on ? [...methods, method] : methods.filter((each) => each !== method) })} />
        ))}
      </div>
    </fieldset>
  );
}

/** One line of a policy, or nothing. */
export function useMfaText() {
  const { t, tn } = useI18n();
  return (policy: MfaPolicy | undefined): string | undefined => {
    if (!policy?.required) return undefined;
    const what = t(policy.level === 'phishing-resistant' ? 'access.mfaPasskey' : 'access.mfaAny');
    return policy.graceSeconds ? `${what}, ${tn('access.daysGrace', Math.round(policy.graceSeconds / DAY_SEC))}` : what;
  };
}
