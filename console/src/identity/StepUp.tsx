// SPDX-License-Identifier: Apache-2.0
// RFC 9470: an action wants a fresh or better sign-in. The question opens over whatever is open, and the action goes on.
import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { ApiError } from '../api/http';
import { useI18n } from '../i18n';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { ErrorNotice, Notice, Skeleton } from '../ui/Notice';
import { abandonSignIn, type FactorStep, stepUp } from './api';
import { FactorForm } from './FactorForm';

export default function StepUp({ acr, onEnd }: { acr: string; onEnd: (proved: boolean) => void }) {
  const { t } = useI18n();
  const [step, setStep] = useState<FactorStep | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    let here = true;
    stepUp(acr).then(
      (next) => here && next.status === 'factor_required' && setStep(next),
      (cause: unknown) => here && setError(cause),
    );
    return () => {
      here = false;
    };
  }, [acr, round]);

  const cancel = () => {
    if (step) void abandonSignIn();
    onEnd(false);
  };
  const lacks = error instanceof ApiError && error.status === 409;
  return (
    <Dialog open onClose={cancel} title={t('stepUp.title')} description={lacks ? undefined : t('stepUp.text')}>
      {lacks && (
        <>
          <Notice tone="warn">{t('stepUp.none')}</Notice>
          <Link className="button primary" href="/account/security" onClick={cancel}>
            {t('stepUp.setUp')}
          </Link>
        </>
      )}
      {error !== null && !lacks && (
        <>
          <ErrorNotice error={error} />
          <Button onClick={cancel}>{t('common.cancel')}</Button>
        </>
      )}
      {!step && error === null && <Skeleton lines={3} />}
      {step && <FactorForm key={round} step={step} onDone={() => onEnd(true)} onOver={() => setRound(round + 1)} />}
    </Dialog>
  );
}
