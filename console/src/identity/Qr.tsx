// SPDX-License-Identifier: Apache-2.0
import { encode } from 'uqr';
import './identity.css';

const QUIET = 2; // modules around it; the box adds more

/** Drawn here: what it says leaves the browser for nobody. */
export function Qr({ text, label }: { text: string; label: string }) {
  const { data, size } = encode(text, { ecc: 'M', border: QUIET });
  const dark = data.flatMap((row, y) => row.map((on, x) => (on ? `M${x} ${y}h1v1h-1z` : '')));
  return (
    <div className="qr">
      <svg viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label}>
        <path d={dark.join('')} />
      </svg>
    </div>
  );
}
