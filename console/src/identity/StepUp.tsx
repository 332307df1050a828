// SPDX-License-Identifier: Apache-2.0
// RFC 9470: an action wants a fresh or better sign-in. The question opens over whatever is open, and the action goes on.
import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { ApiError } from '../api/http';
import { closeSession } from '../api/session';
import { forget, signIn } from '../auth/oidc';
import { useI18n } from '../i18n';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { ErrorNotice, Notice, Skeleton } from '../ui/Notice';
import { abandonSignIn, type FactorStep, stepUp } from './api';
import { FactorForm } from './FactorForm';

const STRONG = ['urn:drun:mfa', 'phr'];

/** Who came from a provider and has no password here proves it there. */
async function anew(): Promise<void> {
  await closeSession().catch(() => null);
  forget();
  await signIn(window.location.pathname + window.location.search);
}

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
          <Notice tone="warn">{t(STRONG.includes(acr) ? 'stepUp.none' : 'stepUp.old')}</Notice>
          {!STRONG.includes(acr) && (
            <Button variant="primary" onClick={() => void anew()}>
              {t('stepUp.again')}
            </Button>
          )}
          <Link className={STRONG.includes(acr) ? 'button primary' : 'button secondary'} href="/account/security" onClick={cancel}>
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
