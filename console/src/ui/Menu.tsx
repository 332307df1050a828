// SPDX-License-Identifier: Apache-2.0
import { Menu as Base } from '@base-ui/react/menu';
import { Check, type LucideIcon } from 'lucide-react';
import { type ReactElement, type ReactNode, useRef } from 'react';
import './menu.css';

interface MenuProps {
  trigger: ReactElement<Record<string, unknown>>;
  children: ReactNode;
  align?: 'start' | 'end';
  side?: 'top' | 'bottom';
}

/** It opens beside its trigger in the document too: in the same landmark, and in the same dialog. */
export function Menu({ trigger, children, align = 'end', side = 'bottom' }: MenuProps) {
  const layer = useRef<HTMLSpanElement>(null);
  return (
    <Base.Root>
      <Base.Trigger render={trigger} />
      <span ref={layer} className="menu-anchor" />
      <Base.Portal container={layer}>
        <Base.Positioner className="menu-layer" positionMethod="fixed" sideOffset={4} align={align} side={side}>
          <Base.Popup className="menu">{children}</Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

export function MenuItem({ icon: Icon, danger, onClick, children, disabled }: { icon?: LucideIcon; danger?: boolean; onClick: () => void; children: ReactNode; disabled?: boolean }) {
  return (
    <Base.Item className={`menu-item${danger ? ' menu-danger' : ''}`} onClick={onClick} disabled={disabled}>
      {Icon && <Icon className="icon" aria-hidden="true" />}
      <span className="grow clip">{children}</span>
    </Base.Item>
  );
}

export function MenuChoice<T extends string>({ label, value, onChange, choices }: { label: string; value: T; onChange: (value: T) => void; choices: { value: T; label: string }[] }) {
  return (
    <Base.Group>
      <Base.GroupLabel className="menu-label">{label}</Base.GroupLabel>
      <Base.RadioGroup value={value} onValueChange={(next: T) => onChange(next)}>
        {choices.map((choice) => (
          <Base.RadioItem key={choice.value} value={choice.value} className="menu-item" closeOnClick>
            <span className="grow clip">{choice.label}</span>
            <Base.RadioItemIndicator className="menu-check">
              <Check className="icon" aria-hidden="true" />
            </Base.RadioItemIndicator>
          </Base.RadioItem>
        ))}
      </Base.RadioGroup>
    </Base.Group>
  );
}

export function MenuRule() {
  return <Base.Separator className="menu-rule" />;
}
