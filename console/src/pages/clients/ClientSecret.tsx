// SPDX-License-Identifier: Apache-2.0
import { useState } from 'react';
import type { OidcClient } from '../../api/types';
import { useI18n } from '../../i18n';
import { Button } from '../../ui/Button';
import { CodeBlock, Secret } from '../../ui/Code';
import { Dialog } from '../../ui/Dialog';
import { CheckField } from '../../ui/Field';
import { Notice } from '../../ui/Notice';

/** What an application is configured with: its secret is shown this once. */
export function ClientSecret({ client, onClose }: { client: OidcClient; onClose: () => void }) {
  const { t } = useI18n();
  const [saved, setSaved] = useState(false);
  const secret = client.status?.clientSecret;
  return (
    <Dialog
      open
      wide
      dismissible={false}
      onClose={onClose}
      title={t('clients.readyTitle', { name: client.spec.displayName || client.metadata.name })}
      footer={
        <div className="between grow">
          {secret ? <CheckField label={t('clients.saved')} checked={saved} onChange={setSaved} /> : <span />}
          <Button variant="primary" disabled={secret !== undefined && !saved} onClick={onClose}>
            {t('common.done')}
          </Button>
        </div>
      }
    >
      {secret && (
        <>
          <Notice tone="warn">{t('clients.once')}</Notice>
          <Secret value={secret} label={t('clients.secret')} />
        </>
      )}
      <div className="stack-s">
        <h3>{t('clients.configuration')}</h3>
        <CodeBlock label={t('clients.configuration')} code={`issuer     ${window.location.origin}\ndiscovery  ${window.location.origin}/.well-known/openid-configuration\nclient_id  ${client.metadata.name}`} />
      </div>
    </Dialog>
  );
}
