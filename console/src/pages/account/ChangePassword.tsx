// SPDX-License-Identifier: Apache-2.0
import { type FormEvent, useState } from 'react';
import { ApiError } from '../../api/http';
import { identity } from '../../auth/oidc';
import { useI18n } from '../../i18n';
import { changePassword } from '../../identity/api';
import { isLong, NewPassword } from '../../identity/NewPassword';
import { PasswordField } from '../../identity/PasswordField';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { ErrorNotice } from '../../ui/Notice';

export function ChangePassword({ onClose, onDone }: { onClose: () => void; onDone: () => Promise<void> }) {
  const { t } = useI18n();
  const me = identity();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const wrong = error instanceof ApiError && (error.status === 401 || error.status === 403);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (busy || current === '' || !isLong(next)) return;
    setBusy(true);
    setError(null);
    try {
      await changePassword(current, next);
      await onDone();
    } catch (cause) {
      setError(cause);
      setBusy(false);
    }
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t('security.changePassword')}
      description={t('security.changePasswordText')}
      footer={
        <>
          <Button onClick={onClose}>{t('common.cancel')}</Button>
          <Button variant="primary" type="submit" form="change-password" busy={busy}>
            {t('security.changePassword')}
          </Button>
        </>
      }
    >
      <form id="change-password" className="stack" onSubmit={(event) => void submit(event)}>
        {error !== null && !wrong && <ErrorNotice error={error} />}
        <input type="text" name="username" autoComplete="username" readOnly hidden value={me?.username ?? ''} />
        <PasswordField label={t('password.current')} value={current} onChange={setCurrent} error={wrong ? t('factor.wrongPassword') : undefined} />
        <NewPassword value={next} onChange={setNext} known={[me?.username ?? '', me?.name ?? '']} tried={tried} />
      </form>
    </Dialog>
  );
}
