// SPDX-License-Identifier: Apache-2.0
// The frame of every page: its heading takes the focus after a navigation, so that a screen reader says it.
import { type ReactNode, useEffect, useRef } from 'react';
import { Link, useLocation } from 'wouter';
import './page.css';

let firstPage = true;

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · drun`;
  }, [title]);
}

export function PageHeader({ title, text, actions, back }: { title: string; text?: ReactNode; actions?: ReactNode; back?: { href: string; label: string } }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useTitle(title);
  useEffect(() => {
    window.scrollTo(0, 0);
    if (!firstPage) heading.current?.focus({ preventScroll: true });
    firstPage = false;
  }, []);
  return (
    <header className="page-head">
      <div className="grow">
        {back && (
          <Link href={back.href} className="page-back">
            ← {back.label}
          </Link>
        )}
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {text && <div className="page-text">{text}</div>}
      </div>
      {actions && <div className="row-wrap">{actions}</div>}
    </header>
  );
}

export function Panel({ title, text, actions, children, flush }: { title?: ReactNode; text?: ReactNode; actions?: ReactNode; children: ReactNode; flush?: boolean }) {
  return (
    <section className={`panel${flush ? ' panel-flush' : ''}`}>
      {(title || actions) && (
        <header className="panel-head">
          <div className="grow">
            {title && <h2>{title}</h2>}
            {text && <p className="muted small">{text}</p>}
          </div>
          {actions && <div className="row-wrap">{actions}</div>}
        </header>
      )}
      <div className="panel-body">{children}</div>
    </section>
  );
}

/** Sister pages under one heading. */
export function SubNav({ label, links }: { label: string; links: { href: string; label: string }[] }) {
  const [path] = useLocation();
  const nav = useRef<HTMLElement>(null);
  // On a small screen it scrolls, and where one is must be in sight.
  useEffect(() => {
    const here = nav.current?.querySelector<HTMLElement>('[aria-current]');
    if (nav.current && here) nav.current.scrollLeft = here.offsetLeft - nav.current.offsetLeft - (nav.current.clientWidth - here.offsetWidth) / 2;
  }, [path, links.length]);
  return (
    <nav ref={nav} className="subnav" aria-label={label}>
      {links.map((link) => (
        <Link key={link.href} href={link.href} aria-current={path === link.href ? 'page' : undefined}>
          {link.label}
        </Link>
      ))}
    </nav>
  );
}

export function Facts({ items }: { items: { label: string; value: ReactNode }[] }) {
  return (
    <dl className="facts">
      {items.map((item) => (
        <div key={item.label}>
          <dt>{item.label}</dt>
          <dd className="break">{item.value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Stat({ label, value, note, tone }: { label: string; value: ReactNode; note?: ReactNode; tone?: 'bad' }) {
  return (
    <div className="stat">
      <dt>{label}</dt>
      <dd className={`stat-value num${tone === 'bad' ? ' stat-bad' : ''}`}>{value}</dd>
      <dd className="stat-note">{note}</dd>
    </div>
  );
}
