// SPDX-License-Identifier: Apache-2.0
import { Toast } from '@base-ui/react/toast';
import { CircleAlert, CircleCheck, X } from 'lucide-react';
import { useI18n } from '../i18n';
import './toast.css';

const manager = Toast.createToastManager();

export function toast(title: string, description?: string): void {
  manager.add({ title, description, type: 'success' });
}

export function toastError(title: string, error: unknown): void {
  manager.add({ title, description: error instanceof Error ? error.message : String(error), type: 'error', timeout: 12_000, priority: 'high' });
}

function List() {
  const { t } = useI18n();
  const { toasts } = Toast.useToastManager();
  return toasts.map((item) => (
    // A message is no dialog (the library's own role), and its button can be reached whether the list is spread or not.
    <Toast.Root key={item.id} toast={item} role="group" aria-modal={undefined} aria-hidden={undefined} className="toast">
      <Toast.Content className="toast-content">
        {item.type === 'error' ? <CircleAlert className="icon toast-bad" aria-hidden="true" /> : <CircleCheck className="icon toast-good" aria-hidden="true" />}
        <div className="grow">
          <Toast.Title className="toast-title" render={<p />} />
          <Toast.Description className="toast-text" />
        </div>
        <Toast.Close className="icon-button" aria-label={t('common.close')} aria-hidden={undefined}>
          <X className="icon" aria-hidden="true" />
        </Toast.Close>
      </Toast.Content>
    </Toast.Root>
  ));
}

export function Toasts() {
  return (
    <Toast.Provider toastManager={manager} timeout={6000} limit={4}>
      <Toast.Portal>
        <Toast.Viewport className="toasts">
          <List />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}
