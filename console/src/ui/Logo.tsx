// SPDX-License-Identifier: Apache-2.0
import { useId } from 'react';

/** The d is a ring in three compartments beside one wall: a posture ring that stands up. */
export function Mark({ size = 24 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="3" aria-hidden="true">
      <path d="M18.5 1.5V23" />
      <circle cx="12.5" cy="15.5" r="6" pathLength="99" strokeDasharray="28 5" strokeDashoffset="14" />
    </svg>
  );
}

export function Wordmark({ height = 22 }: { height?: number }) {
  const title = useId();
  return (
    <svg height={height} viewBox="0 0 66 24" fill="none" stroke="currentColor" strokeWidth="3" role="img" aria-labelledby={title}>
      <title id={title}>drun</title>
      <path d="M15.5 1.5V23" className="wordmark-wall" />
      <circle cx="9.5" cy="15.5" r="6" pathLength="99" strokeDasharray="28 5" strokeDashoffset="14" className="wordmark-ring" />
      <path d="M23 23V14a5 5 0 0 1 5-5h2.5" />
      <path d="M36.5 8v8.5a5 5 0 0 0 10 0V8M46.5 8v15" />
      <path d="M53.5 23V8M53.5 14.5a5 5 0 0 1 10 0V23" />
    </svg>
  );
}
