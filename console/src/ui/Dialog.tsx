// SPDX-License-Identifier: Apache-2.0
// What opens over a page: a dialog, a drawer at its side, and the question before something is destroyed.
import { AlertDialog } from '@base-ui/react/alert-dialog';
import { Dialog as Base } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import { type ReactNode, type RefObject, useRef, useState } from 'react';
import { useI18n } from '../i18n';
import { Button, IconButton } from './Button';
import './dialog.css';
import { ErrorNotice } from './Notice';

interface DialogProps {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  description?: ReactNode;
  children: ReactNode;
  footer?: ReactNode;
  wide?: boolean;
  /** false: only its own buttons close it */
  dismissible?: boolean;
  initialFocus?: RefObject<HTMLElement | null>;
}

export function Dialog({ open, onClose, title, description, children, footer, wide, dismissible = true, initialFocus }: DialogProps) {
  const { t } = useI18n();
  return (
    <Base.Root open={open} onOpenChange={(next) => !next && dismissible && onClose()} disablePointerDismissal>
      <Base.Portal>
        <Base.Backdrop className="veil" />
        <Base.Popup className={`dialog${wide ? ' dialog-wide' : ''}`} initialFocus={initialFocus}>
          <header className="dialog-head">
            <Base.Title className="dialog-title">{title}</Base.Title>
            {dismissible && <IconButton label={t('common.close')} icon={X} onClick={onClose} />}
          </header>
          <div className="dialog-body">
            {description && <Base.Description className="dialog-text">{description}</Base.Description>}
            {children}
          </div>
          {footer && <footer className="dialog-foot">{footer}</footer>}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

export function Drawer({ open, onClose, title, eyebrow, children, footer }: { open: boolean; onClose: () => void; title: ReactNode; eyebrow?: ReactNode; children: ReactNode; footer?: ReactNode }) {
  const { t } = useI18n();
  const popup = useRef<HTMLDivElement>(null);
  return (
    <Base.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Base.Portal>
        <Base.Backdrop className="veil veil-light" />
        <Base.Popup className="drawer" ref={popup} initialFocus={popup}>
          <header className="dialog-head">
            <div className="grow">
              {eyebrow && <div className="drawer-eyebrow">{eyebrow}</div>}
              <Base.Title className="dialog-title">{title}</Base.Title>
            </div>
            <IconButton label={t('common.close')} icon={X} onClick={onClose} />
          </header>
          {/* Scrolls, so the keyboard must reach it. */}
          {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
          <div className="dialog-body drawer-body" tabIndex={0} role="region" aria-label={t('common.details')}>
            {children}
          </div>
          {footer && <footer className="dialog-foot">{footer}</footer>}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

interface ConfirmProps {
  open: boolean;
  onClose: () => void;
  title: string;
  text: ReactNode;
  action: string;
  onConfirm: () => Promise<void>;
}

export function Confirm({ open, onClose, title, text, action, onConfirm }: ConfirmProps) {
  const { t } = useI18n();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const close = () => {
    setError(null);
    onClose();
  };
  const confirm = async () => {
    setBusy(true);
    setError(null);
    try {
      await onConfirm();
      close();
    } catch (cause) {
      setError(cause);
    } finally {
      setBusy(false);
    }
  };
  return (
    <AlertDialog.Root open={open} onOpenChange={(next) => !next && !busy && close()}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="veil" />
        <AlertDialog.Popup className="dialog dialog-narrow">
          <header className="dialog-head">
            <AlertDialog.Title className="dialog-title">{title}</AlertDialog.Title>
          </header>
          <div className="dialog-body">
            <AlertDialog.Description className="dialog-text">{text}</AlertDialog.Description>
            {error !== null && <ErrorNotice error={error} />}
          </div>
          <footer className="dialog-foot">
            <Button variant="secondary" onClick={close}>
              {t('common.cancel')}
            </Button>
            <Button variant="danger" busy={busy} onClick={() => void confirm()}>
              {action}
            </Button>
          </footer>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
