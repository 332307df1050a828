// SPDX-License-Identifier: Apache-2.0
import { Check, Copy } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useI18n } from '../i18n';
import { Button, IconButton } from './Button';
import './code.css';

function useCopy(text: string) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = () => void navigator.clipboard.writeText(text).then(() => setCopied(true));
  return { copied, copy };
}

export function CopyIcon({ text, label }: { text: string; label?: string }) {
  const { t } = useI18n();
  const { copied, copy } = useCopy(text);
  return <IconButton label={copied ? t('common.copied') : (label ?? t('common.copy'))} icon={copied ? Check : Copy} onClick={copy} />;
}

export function CopyButton({ text, primary }: { text: string; primary?: boolean }) {
  const { t } = useI18n();
  const { copied, copy } = useCopy(text);
  return (
    <Button variant={primary ? 'primary' : 'secondary'} icon={copied ? Check : Copy} onClick={copy}>
      {copied ? t('common.copied') : t('common.copy')}
    </Button>
  );
}

export function CodeBlock({ code, label }: { code: string; label: string }) {
  return (
    <div className="code">
      {/* Long lines scroll, so the keyboard must reach it. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre tabIndex={0} role="region" aria-label={label}>
        <code>{code}</code>
      </pre>
      <div className="code-copy">
        <CopyIcon text={code} />
      </div>
    </div>
  );
}

/** Several codes in one place, chosen by name. */
export function CodeTabs({ tabs }: { tabs: { name: string; code: string }[] }) {
  const [at, setAt] = useState(0);
  const tab = tabs[at] ?? tabs[0];
  if (!tab) return null;
  return (
    <div className="stack-s">
      <div className="segments" role="group">
        {tabs.map((each, i) => (
          <button key={each.name} type="button" aria-pressed={i === at} onClick={() => setAt(i)}>
            {each.name}
          </button>
        ))}
      </div>
      <CodeBlock code={tab.code} label={tab.name} />
    </div>
  );
}

/** A secret that is shown this once. */
export function Secret({ value, label }: { value: string; label: string }) {
  return (
    <div className="secret">
      <output className="mono break" aria-label={label}>
        {value}
      </output>
      <CopyButton text={value} primary />
    </div>
  );
}
