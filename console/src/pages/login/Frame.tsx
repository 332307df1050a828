// SPDX-License-Identifier: Apache-2.0
// The pages before sign-in: one card, and the two choices that a stranger may want to make first.
import { Languages, SunMoon } from 'lucide-react';
import type { ReactNode } from 'react';
import { LanguageChoice, ThemeChoiceMenu } from '../../Shell';
import { useI18n } from '../../i18n';
import { IconButton } from '../../ui/Button';
import { Wordmark } from '../../ui/Logo';
import { Menu } from '../../ui/Menu';
import { useTitle } from '../../ui/Page';
import './login.css';

export function Frame({ title, text, children, wide, busy }: { title: string; text?: ReactNode; children?: ReactNode; wide?: boolean; busy?: boolean }) {
  const { t } = useI18n();
  useTitle(title);
  return (
    <div className="gate">
      <header className="gate-top">
        <Wordmark height={24} />
        <div className="row">
          <Menu trigger={<IconButton label={t('menu.theme')} icon={SunMoon} />}>
            <ThemeChoiceMenu />
          </Menu>
          <Menu trigger={<IconButton label={t('menu.language')} icon={Languages} />}>
            <LanguageChoice />
          </Menu>
        </div>
      </header>
      <main className="gate-main">
        <div className={`gate-card${wide ? ' gate-wide' : ''}`} aria-busy={busy}>
          <div>
            <h1>{title}</h1>
            {text && <p className="second gate-text">{text}</p>}
          </div>
          {children}
        </div>
      </main>
      <footer className="gate-foot">{t('login.footer')}</footer>
    </div>
  );
}
