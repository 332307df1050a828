// SPDX-License-Identifier: Apache-2.0
// A new secret for the same key; the one before goes on for a while, so that nothing stands still.
import { type FormEvent, useState } from 'react';
import { useRefresh } from '../../api/hooks';
import { act, apiKeys } from '../../api/kube';
import type { ApiKey } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { SelectField } from '../../ui/Field';
import { ErrorNotice } from '../../ui/Notice';
import { useTask } from '../../ui/task';

const HOURS = [0, 1, 24, 72, 168];

export function RotateKey({ apiKey, onClose, onDone }: { apiKey: ApiKey; onClose: () => void; onDone: (made: ApiKey) => void }) {
  const { t, tn } = useI18n();
  const refresh = useRefresh();
  const [hours, setHours] = useState(24);
  const { busy, error, run } = useTask();
  const { name, namespace } = apiKey.metadata;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      const made = await act<ApiKey>(apiKeys, 'rotate', name, namespace, { spec: { overlapSeconds: hours * 3600 } });
      await refresh(apiKeys);
      onDone(made);
    });
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t('keys.rotateTitle', { name })}
      description={t('keys.rotateText')}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="rotate-key" busy={busy}>
            {t('keys.rotate')}
          </Button>
        </>
      }
    >
      <form id="rotate-key" className="stack" onSubmit={submit}>
        {error !== null && <ErrorNotice error={error} />}
        <SelectField label={t('keys.overlap')} value={String(hours)} onChange={(event) => setHours(Number(event.target.value))} choices={HOURS.map((n) => ({ value: String(n), label: n === 0 ? t('keys.overlapNone') : tn('keys.hours', n) }))} />
      </form>
    </Dialog>
  );
}
