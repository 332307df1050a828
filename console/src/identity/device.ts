// SPDX-License-Identifier: Apache-2.0

const BROWSERS = [['Edg/', 'Edge'], ['Firefox/', 'Firefox'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari'], ['drun/', 'drun'], ['curl/', 'curl']] as const;
const SYSTEMS = [['Android', 'Android'], ['iPhone', 'iOS'], ['iPad', 'iPadOS'], ['Windows', 'Windows'], ['Mac OS', 'macOS'], ['Linux', 'Linux']] as const;

/** The browser and the system in a User-Agent, as far as a person cares. */
export function deviceOf(userAgent: string | undefined): string {
  if (!userAgent) return '–';
  const browser = BROWSERS.find(([mark]) => userAgent.includes(mark))?.[1];
  const system = SYSTEMS.find(([mark]) => userAgent.includes(mark))?.[1];
  return [browser ?? userAgent.slice(0, 40), system].filter(Boolean).join(' · ');
}
