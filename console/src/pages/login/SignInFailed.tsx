// SPDX-License-Identifier: Apache-2.0
import { ShieldX } from 'lucide-react';
import { SignInError } from '../../auth/oidc';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { Empty } from '../../ui/Notice';
import { Frame } from './Frame';

export default function SignInFailed({ error }: { error: unknown }) {
  const { t } = useI18n();
  return (
    <Frame title={t('callback.title')}>
      <Empty
        icon={ShieldX}
        title={t('callback.text')}
        action={
          <Button variant="primary" onClick={() => window.location.replace('/')}>
            {t('callback.again')}
          </Button>
        }
      >
        <p>{error instanceof Error ? error.message : String(error)}</p>
        {error instanceof SignInError && (
          <p className="muted small">
            <code>{error.code}</code>
          </p>
        )}
      </Empty>
    </Frame>
  );
}
