// SPDX-License-Identifier: Apache-2.0
import { Tooltip } from '@base-ui/react/tooltip';
import type { ReactElement } from 'react';

/** A short label at a control. It repeats what the control's own name says, for those who see. */
export function Tip({ text, children }: { text: string; children: ReactElement<Record<string, unknown>> }) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger render={children} delay={350} />
      <Tooltip.Portal>
        <Tooltip.Positioner sideOffset={6}>
          <Tooltip.Popup className="tip">{text}</Tooltip.Popup>
        </Tooltip.Positioner>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
