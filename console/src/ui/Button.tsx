// SPDX-License-Identifier: Apache-2.0
import type { LucideIcon } from 'lucide-react';
import type { ButtonHTMLAttributes, ReactNode, Ref } from 'react';
import { Link } from 'wouter';
import './button.css';
import { Tip } from './Tip';

type Variant = 'primary' | 'secondary' | 'ghost' | 'danger';

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  variant?: Variant;
  icon?: LucideIcon;
  small?: boolean;
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({ variant = 'secondary', icon: Icon, small, busy, disabled, className, children, type = 'button', ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      className={`button ${variant}${small ? ' small-button' : ''} ${className ?? ''}`}
      disabled={disabled}
      aria-disabled={busy || undefined}
      aria-busy={busy || undefined}
      onClick={busy ? (event) => event.preventDefault() : rest.onClick}
    >
      {busy ? <span className="spinner" aria-hidden="true" /> : Icon && <Icon className="icon" aria-hidden="true" />}
      {children && <span>{children}</span>}
    </button>
  );
}

/** A square button whose label is its tooltip. */
export function IconButton({ label, icon: Icon, busy, className, ...rest }: Omit<ButtonProps, 'children' | 'variant'> & { label: string; icon: LucideIcon }) {
  return (
    <Tip text={label}>
      <button {...rest} type="button" aria-label={label} className={`icon-button ${className ?? ''}`} aria-busy={busy || undefined}>
        {busy ? <span className="spinner" aria-hidden="true" /> : <Icon className="icon" aria-hidden="true" />}
      </button>
    </Tip>
  );
}

export function LinkButton({ href, variant = 'secondary', icon: Icon, children }: { href: string; variant?: Variant; icon?: LucideIcon; children: ReactNode }) {
  return (
    <Link href={href} className={`button ${variant}`}>
      {Icon && <Icon className="icon" aria-hidden="true" />}
      <span>{children}</span>
    </Link>
  );
}
