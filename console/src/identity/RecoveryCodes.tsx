// SPDX-License-Identifier: Apache-2.0
// Ten codes for the day on which the phone is gone. They are shown once.
import { Download, Printer } from 'lucide-react';
import { useState } from 'react';
import { identity } from '../auth/oidc';
import { useI18n } from '../i18n';
import { Button } from '../ui/Button';
import { CopyButton } from '../ui/Code';
import { CheckField } from '../ui/Field';
import { Notice } from '../ui/Notice';
import './identity.css';

function save(text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = 'drun-recovery-codes.txt';
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

export function RecoveryCodes({ codes, username, onDone }: { codes: string[]; username?: string; onDone: () => void }) {
  const { t, f } = useI18n();
  const [saved, setSaved] = useState(false);
  const title = t('recovery.sheet', { user: username ?? identity()?.username ?? '', host: window.location.host });
  const text = `${title}\n${f.dateTime(Date.now())}\n\n${codes.join('\n')}\n\n${t('recovery.once')}\n`;
  return (
    <div className="stack">
      <Notice tone="warn">{t('recovery.text')}</Notice>
      <div className="printed stack-s">
        <p className="sr-only">{title}</p>
        <ul className="codes mono" aria-label={t('factor.recovery')}>
          {codes.map((code) => (
            <li key={code}>{code}</li>
          ))}
        </ul>
      </div>
      <div className="row-wrap">
        <CopyButton text={codes.join('\n')} />
        <Button icon={Download} onClick={() => save(text)}>
          {t('recovery.download')}
        </Button>
        <Button icon={Printer} onClick={() => window.print()}>
          {t('recovery.print')}
        </Button>
      </div>
      <CheckField label={t('recovery.saved')} checked={saved} onChange={setSaved} />
      <Button variant="primary" disabled={!saved} onClick={onDone}>
        {t('recovery.done')}
      </Button>
    </div>
  );
}
