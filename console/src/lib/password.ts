// SPDX-License-Identifier: Apache-2.0
// A hint while a person types, not a rule: the server decides. It counts what an attacker must guess:
// length first, then repeats, runs, and words that come from the form itself.

export type Strength = 0 | 1 | 2 | 3 | 4;

const COMMON = ['password', 'passw0rd', 'qwerty', 'letmein', 'welcome', 'admin', 'iloveyou', '123456', 'drun'];

export function passwordStrength(password: string, known: string[] = []): Strength {
  const lower = password.toLowerCase();
  const guessable = [...COMMON, ...known.map((word) => word.toLowerCase())].filter((word) => word.length >= 3 && lower.includes(word));
  let length = [...password].length;
  for (const word of guessable) length -= word.length - 1;
  length -= (password.match(/(.)\1+/g) ?? []).reduce((n, run) => n + run.length - 1, 0);
  for (let i = 2; i < password.length; i++) {
    const step = password.charCodeAt(i) - password.charCodeAt(i - 1);
    if (Math.abs(step) === 1 && step === password.charCodeAt(i - 1) - password.charCodeAt(i - 2)) length -= 1;
  }
  const classes = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^A-Za-z0-9]/].filter((c) => c.test(password)).length;
  const score = length + (classes - 1) * 1.5;
  if (password.length === 0) return 0;
  if (score < 8) return 1;
  if (score < 12) return 2;
  return score < 17 ? 3 : 4;
}
