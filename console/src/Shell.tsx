// SPDX-License-Identifier: Apache-2.0
// The frame around every page: where one is, which namespace, who one is.
import { Dialog } from '@base-ui/react/dialog';
import { Activity, Boxes, ChevronsUpDown, CircleHelp, Gauge, KeyRound, LogOut, type LucideIcon, Menu as MenuIcon, MessageSquareText, ScrollText, Shield, UserRound, Users, WalletMinimal, X } from 'lucide-react';
import { type FormEvent, type ReactNode, useEffect, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useList } from './api/hooks';
import { namespaces } from './api/kube';
import { closeSession } from './api/session';
import { forget, identity } from './auth/oidc';
import { type Language, type PlainKey, useI18n } from './i18n';
import { setNamespace, useNamespace } from './lib/namespace';
import { isName } from './lib/validate';
import './shell.css';
import { Button, IconButton } from './ui/Button';
import { Dialog as Ask } from './ui/Dialog';
import { TextField } from './ui/Field';
import { Wordmark } from './ui/Logo';
import { Menu, MenuChoice, MenuItem, MenuRule } from './ui/Menu';
import { setTheme, type ThemeChoice, useTheme } from './ui/theme';

const NAV: { href: string; label: PlainKey; icon: LucideIcon; section?: boolean }[] = [
  { href: '/', label: 'nav.overview', icon: Gauge },
  { href: '/models', label: 'nav.models', icon: Boxes },
  { href: '/playground', label: 'nav.playground', icon: MessageSquareText },
  { href: '/keys', label: 'nav.keys', icon: KeyRound },
  { href: '/budgets', label: 'nav.budgets', icon: WalletMinimal },
  { href: '/traffic', label: 'nav.traffic', icon: Activity },
  { href: '/protection', label: 'nav.protection', icon: Shield },
  { href: '/access', label: 'nav.access', icon: Users, section: true },
  { href: '/audit', label: 'nav.audit', icon: ScrollText },
];

/** For those who may work in a namespace but not list them. */
function NamespaceByName({ onClose }: { onClose: () => void }) {
  const { t } = useI18n();
  const [name, setName] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isName(name)) return;
    setNamespace(name);
    onClose();
  };
  return (
    <Ask
      open
      onClose={onClose}
      title={t('namespace.byName')}
      description={t('namespace.forbidden')}
      footer={
        <Button variant="primary" type="submit" form="namespace-by-name" disabled={!isName(name)}>
          {t('namespace.go')}
        </Button>
      }
    >
      <form id="namespace-by-name" onSubmit={submit}>
        <TextField label={t('namespace.label')} mono maxLength={63} value={name} onChange={(event) => setName(event.target.value.trim())} />
      </form>
    </Ask>
  );
}

function NamespaceMenu() {
  const { t } = useI18n();
  const [asking, setAsking] = useState(false);
  const current = useNamespace();
  const { data, error } = useList(namespaces);
  const names = (data ?? []).map((ns) => ns.metadata.name).sort();
  if (current && !names.includes(current)) names.unshift(current);
  const all = { value: '', label: t('namespace.all') };
  return (
    <>
      <Menu
        align="start"
        trigger={
          <button type="button" className="ns-button">
            <span className="grow">
              <span className="ns-label">{t('namespace.label')} </span>
              <span className="clip ns-name">{current || t('namespace.all')}</span>
            </span>
            <ChevronsUpDown className="icon" aria-hidden="true" />
          </button>
        }
      >
        <MenuChoice label={t('namespace.label')} value={current} onChange={setNamespace} choices={[all, ...names.map((name) => ({ value: name, label: name }))]} />
        {error && (
          <>
            <MenuRule />
            <MenuItem onClick={() => setAsking(true)}>{t('namespace.byName')}</MenuItem>
          </>
        )}
      </Menu>
      {asking && <NamespaceByName onClose={() => setAsking(false)} />}
    </>
  );
}

export function LanguageChoice() {
  const { t, language, setLanguage } = useI18n();
  return (
    <MenuChoice<Language>
      label={t('menu.language')}
      value={language}
      onChange={setLanguage}
      choices={[
        { value: 'en', label: 'English' },
        { value: 'zh-CN', label: '简体中文' },
      ]}
    />
  );
}

export function ThemeChoiceMenu() {
  const { t } = useI18n();
  const theme = useTheme();
  return (
    <MenuChoice<ThemeChoice>
      label={t('menu.theme')}
      value={theme}
      onChange={setTheme}
      choices={[
        { value: 'system', label: t('theme.system') },
        { value: 'light', label: t('theme.light') },
        { value: 'dark', label: t('theme.dark') },
      ]}
    />
  );
}

function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  return (words.length > 1 ? `${words[0]?.[0] ?? ''}${words[words.length - 1]?.[0] ?? ''}` : name.slice(0, 1)).toUpperCase();
}

function UserMenu() {
  const { t } = useI18n();
  const [, navigate] = useLocation();
  const me = identity();
  if (!me) return null;
  const signOut = async () => {
    const elsewhere = await closeSession().catch(() => null);
    forget();
    window.location.assign(elsewhere ?? '/login');
  };
  return (
    <Menu
      align="start"
      side="top"
      trigger={
        <button type="button" className="user-button">
          <span className="avatar" aria-hidden="true">
            {initials(me.name)}
          </span>
          <span className="grow">
            <span className="sr-only">{t('menu.account')} </span>
            <span className="clip user-name">{me.name} </span>
            <span className="clip user-sub">{me.username}</span>
          </span>
          <ChevronsUpDown className="icon" aria-hidden="true" />
        </button>
      }
    >
      <MenuItem icon={UserRound} onClick={() => navigate('/account')}>
        {t('nav.account')}
      </MenuItem>
      <MenuItem icon={CircleHelp} onClick={() => navigate('/about')}>
        {t('nav.about')}
      </MenuItem>
      <MenuRule />
      <ThemeChoiceMenu />
      <MenuRule />
      <LanguageChoice />
      <MenuRule />
      <MenuItem icon={LogOut} onClick={() => void signOut()}>
        {t('menu.signOut')}
      </MenuItem>
    </Menu>
  );
}

function Side() {
  const { t } = useI18n();
  const [path] = useLocation();
  const isHere = (href: string) => (href === '/' ? path === '/' : path === href || path.startsWith(`${href}/`));
  return (
    <div className="side-inner">
      <Link href="/" className="side-logo">
        <Wordmark />
      </Link>
      <NamespaceMenu />
      <nav aria-label={t('nav.main')} className="side-nav">
        <ul>
          {NAV.map(({ href, label, icon: Icon, section }) => (
            <li key={href} className={section ? 'side-section' : undefined}>
              <Link href={href} aria-current={isHere(href) ? 'page' : undefined}>
                <Icon className="icon" aria-hidden="true" />
                {t(label)}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <UserMenu />
    </div>
  );
}

export function Shell({ children }: { children: ReactNode }) {
  const { t } = useI18n();
  const [path] = useLocation();
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [path]);
  return (
    <div className="shell">
      <a href="#main" className="skip">
        {t('nav.skip')}
      </a>
      <aside className="side" aria-label={t('nav.sidebar')}>
        <Side />
      </aside>
      <header className="topbar">
        <Link href="/">
          <Wordmark height={18} />
        </Link>
        <Dialog.Root open={open} onOpenChange={setOpen}>
          <Dialog.Trigger render={<IconButton label={t('nav.open')} icon={MenuIcon} />} />
          <Dialog.Portal>
            <Dialog.Backdrop className="veil" />
            <Dialog.Popup className="side side-drawer">
              <Dialog.Title className="sr-only">{t('nav.main')}</Dialog.Title>
              <Dialog.Close render={<IconButton label={t('common.close')} icon={X} className="side-close" />} />
              <Side />
            </Dialog.Popup>
          </Dialog.Portal>
        </Dialog.Root>
      </header>
      <main id="main" className="main" tabIndex={-1}>
        <div className="page">{children}</div>
      </main>
    </div>
  );
}
