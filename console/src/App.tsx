// SPDX-License-Identifier: Apache-2.0
// Which page an address is. Three pages work before sign-in; the rest wait for a token.
import { Compass } from 'lucide-react';
import { type ComponentType, lazy, type ReactNode, Suspense, useEffect, useState } from 'react';
import { Route, Switch } from 'wouter';
import { setStepUpHandler, setUnauthorizedHandler } from './api/http';
import { forget, identity, renewToken, signIn } from './auth/oidc';
import { type Area, needWords, useI18n } from './i18n';
import { Shell } from './Shell';
import { LinkButton } from './ui/Button';
import { Mark } from './ui/Logo';
import { Empty } from './ui/Notice';
import { PageHeader } from './ui/Page';

/** A page and the words of its areas, as chunks of their own. */
function page(load: () => Promise<{ default: ComponentType }>, ...areas: Area[]) {
  return lazy(async () => (await Promise.all([load(), needWords(...areas)]))[0]);
}

const Login = page(() => import('./pages/login/Login'), 'identity');
const Setup = page(() => import('./pages/login/Setup'), 'identity');
const Callback = page(() => import('./pages/login/Callback'));
const Overview = page(() => import('./pages/overview/Overview'));
const Services = page(() => import('./pages/models/Services'), 'work');
const Service = page(() => import('./pages/models/Service'), 'work');
const Catalog = page(() => import('./pages/models/Catalog'), 'work');
const Playground = page(() => import('./pages/playground/Playground'), 'work');
const Keys = page(() => import('./pages/keys/Keys'), 'work');
const Budgets = page(() => import('./pages/budgets/Budgets'), 'admin');
const Users = page(() => import('./pages/access/Users'), 'admin', 'identity');
const Groups = page(() => import('./pages/access/Groups'), 'admin');
const Roles = page(() => import('./pages/access/Roles'), 'admin');
const Bindings = page(() => import('./pages/access/Bindings'), 'admin');
const WhoCan = page(() => import('./pages/access/WhoCan'), 'admin');
const Clients = page(() => import('./pages/clients/Clients'), 'admin');
const Providers = page(() => import('./pages/providers/Providers'), 'admin', 'people');
const EditProvider = page(() => import('./pages/providers/EditProvider'), 'admin', 'people');
const Scim = page(() => import('./pages/providers/Scim'), 'admin', 'people');
const AccessReview = page(() => import('./pages/review/AccessReview'), 'admin', 'people');
const Objects = page(() => import('./pages/objects/Objects'), 'admin');
const Audit = page(() => import('./pages/audit/Audit'), 'work');
const Hits = page(() => import('./pages/protection/Hits'), 'defence', 'work');
const WafRules = page(() => import('./pages/protection/Rules'), 'defence');
const Workbench = page(() => import('./pages/protection/Workbench'), 'defence', 'work');
const Guard = page(() => import('./pages/protection/Guard'), 'defence');
const Bans = page(() => import('./pages/protection/Bans'), 'defence');
const Traffic = page(() => import('./pages/traffic/Traffic'), 'defence');
const Account = page(() => import('./pages/account/Account'), 'identity', 'admin');
const Security = page(() => import('./pages/account/Security'), 'identity');
const Links = page(() => import('./pages/account/Links'), 'identity');
const Sessions = page(() => import('./pages/account/Sessions'), 'identity');
const About = page(() => import('./pages/account/About'), 'work');
const StepUp = lazy(async () => (await Promise.all([import('./identity/StepUp'), needWords('identity')]))[0]);

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

/** One question at a time, however many actions wait for its answer. */
function StepUps() {
  const [asked, setAsked] = useState<{ acr: string; answer: (proved: boolean) => void } | null>(null);
  useEffect(() => {
    let open: Promise<boolean> | null = null;
    setStepUpHandler((acr) => {
      open ??= new Promise<boolean>((answer) => setAsked({ acr, answer })).finally(() => (open = null));
      return open;
    });
  }, []);
  if (!asked) return null;
  const end = async (proved: boolean) => {
    if (proved) await renewToken().catch(() => undefined); // the old one does not say that it was done
    setAsked(null);
    asked.answer(proved);
  };
  return (
    <Suspense>
      <StepUp acr={asked.acr} onEnd={(proved) => void end(proved)} />
    </Suspense>
  );
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
      <Route path="/budgets" component={Budgets} />
      <Route path="/access" component={Users} />
      <Route path="/access/groups" component={Groups} />
      <Route path="/access/roles" component={Roles} />
      <Route path="/access/bindings" component={Bindings} />
      <Route path="/access/who-can" component={WhoCan} />
      <Route path="/access/clients" component={Clients} />
      <Route path="/access/review" component={AccessReview} />
      <Route path="/access/scim" component={Scim} />
      <Route path="/access/providers" component={Providers} />
      <Route path="/access/providers/:name" component={EditProvider} />
      <Route path="/access/new-provider/:type" component={EditProvider} />
      <Route path="/access/:kind" component={Objects} />
      <Route path="/audit/:index?" component={Audit} />
      <Route path="/protection" component={Hits} />
      <Route path="/protection/rules" component={WafRules} />
      <Route path="/protection/workbench" component={Workbench} />
      <Route path="/protection/guard" component={Guard} />
      <Route path="/protection/bans" component={Bans} />
      <Route path="/traffic" component={Traffic} />
      <Route path="/account" component={Account} />
      <Route path="/account/security" component={Security} />
      <Route path="/account/links" component={Links} />
      <Route path="/account/sessions" component={Sessions} />
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
              <StepUps />
            </Shell>
          </SignedIn>
        </Route>
      </Switch>
    </Suspense>
  );
}
