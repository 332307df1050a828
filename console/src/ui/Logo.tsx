// SPDX-License-Identifier: Apache-2.0
import { useId } from 'react';

/** The d is a ring in three compartments beside one wall: a posture ring that stands up. */
export function Mark({ size = 24 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="3" aria-hidden="true">
      <path d="M19.5 2v20" />
      <circle cx="10" cy="14.5" r="6" pathLength="99" strokeDasharray="28 5" strokeDashoffset="-5.5" />
    </svg>
  );
}

export function Wordmark({ height = 22 }: { height?: number }) {
  const title = useId();
  return (
    <svg height={height} viewBox="0 0 86 24" fill="none" stroke="currentColor" strokeWidth="3" role="img" aria-labelledby={title}>
      <title id={title}>drun</title>
      <path d="M19.5 2v20" className="wordmark-wall" />
      <circle cx="10" cy="14.5" r="6" pathLength="99" strokeDasharray="28 5" strokeDashoffset="-5.5" className="wordmark-ring" />
      <path d="M28.5 22V14.5a6 6 0 0 1 6-6h2" />
      <path d="M43.5 7v9a4.5 4.5 0 0 0 9 0V7M52.5 16v6" />
      <path d="M62.5 22V7M62.5 14.5a5.5 5.5 0 0 1 11 0V22" />
    </svg>
  );
}
