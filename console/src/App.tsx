// SPDX-License-Identifier: Apache-2.0
// Which page an address is. Three pages work before sign-in; the rest wait for a token.
import { Compass } from 'lucide-react';
import { lazy, type ReactNode, Suspense, useEffect, useState } from 'react';
import { Route, Switch } from 'wouter';
import { setUnauthorizedHandler } from './api/http';
import { forget, identity, signIn } from './auth/oidc';
import { useI18n } from './i18n';
import { Shell } from './Shell';
import { LinkButton } from './ui/Button';
import { Mark } from './ui/Logo';
import { Empty } from './ui/Notice';
import { PageHeader } from './ui/Page';

const Login = lazy(() => import('./pages/login/Login'));
const Setup = lazy(() => import('./pages/login/Setup'));
const Callback = lazy(() => import('./pages/login/Callback'));
const Overview = lazy(() => import('./pages/overview/Overview'));
const Services = lazy(() => import('./pages/models/Services'));
const Service = lazy(() => import('./pages/models/Service'));
const Catalog = lazy(() => import('./pages/models/Catalog'));
const Playground = lazy(() => import('./pages/playground/Playground'));
const Keys = lazy(() => import('./pages/keys/Keys'));
const Users = lazy(() => import('./pages/access/Users'));
const Groups = lazy(() => import('./pages/access/Groups'));
const Roles = lazy(() => import('./pages/access/Roles'));
const Bindings = lazy(() => import('./pages/access/Bindings'));
const WhoCan = lazy(() => import('./pages/access/WhoCan'));
const Audit = lazy(() => import('./pages/audit/Audit'));
const Account = lazy(() => import('./pages/account/Account'));
const About = lazy(() => import('./pages/account/About'));

const MIN_TOKEN_AGE_MS = 10_000;

function Splash() {
  const { t } = useI18n();
  return (
    <main className="splash" aria-busy="true">
      <Mark size={40} />
      <h1 className="sr-only">drun</h1>
      <p className="sr-only" role="status">
        {t('common.loading')}
      </p>
    </main>
  );
}

/** Renders its children with a token in hand; without one it leaves for the sign-in. */
function SignedIn({ children }: { children: ReactNode }) {
  const [since] = useState(() => Date.now());
  const here = () => window.location.pathname + window.location.search;
  useEffect(() => {
    if (!identity()) void signIn(here());
    setUnauthorizedHandler(() => {
      // A fresh token that is refused would be refused again: the page shows the error instead.
      if (Date.now() - since < MIN_TOKEN_AGE_MS) return;
      forget();
      void signIn(here());
    });
  }, [since]);
  return identity() ? children : <Splash />;
}

function NotFound() {
  const { t } = useI18n();
  return (
    <>
      <PageHeader title={t('notFound.title')} />
      <Empty icon={Compass} title={t('notFound.text')} action={<LinkButton href="/">{t('nav.overview')}</LinkButton>} />
    </>
  );
}

function Pages() {
  return (
    <Switch>
      <Route path="/" component={Overview} />
      <Route path="/models" component={Services} />
      <Route path="/models/catalog" component={Catalog} />
      <Route path="/models/:namespace/:name" component={Service} />
      <Route path="/playground" component={Playground} />
      <Route path="/keys" component={Keys} />
      <Route path="/access" component={Users} />
      <Route path="/access/groups" component={Groups} />
      <Route path="/access/roles" component={Roles} />
      <Route path="/access/bindings" component={Bindings} />
      <Route path="/access/who-can" component={WhoCan} />
      <Route path="/audit/:index?" component={Audit} />
      <Route path="/account" component={Account} />
      <Route path="/about" component={About} />
      <Route component={NotFound} />
    </Switch>
  );
}

export function App() {
  return (
    <Suspense fallback={<Splash />}>
      <Switch>
        <Route path="/login" component={Login} />
        <Route path="/setup" component={Setup} />
        <Route path="/callback" component={Callback} />
        <Route>
          <SignedIn>
            <Shell>
              <Suspense fallback={<div className="page-wait" />}>
                <Pages />
              </Suspense>
            </Shell>
          </SignedIn>
        </Route>
      </Switch>
    </Suspense>
  );
}
