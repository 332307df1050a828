#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Real kubectls against kube_testserver; TAP. Usage: kubectl_test.sh SERVER-PROGRAM [KUBECTL...]
# A kubectl that is not installed is skipped. Set VERBOSE=1 to see what each command printed.
set -u
program=$1
shift
[ $# -gt 0 ] || set -- kubectl
work=$(mktemp -d)
count=0

"$program" 0 >"$work/port" 2>"$work/log" &
server=$!
watcher=
trap 'kill $server $watcher 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 50); do [ -s "$work/port" ] && break; sleep 0.1; done
address=http://127.0.0.1:$(cat "$work/port")
export HOME=$work KUBECONFIG=$work/config
printf 'apiVersion: v1\nkind: Config\n' >"$work/config"

as() { "$kubectl" --cache-dir="$work/cache-$tag" --server="$address/as/$1" "${@:2}"; }
k() { as admin "$@"; }

# check NAME PATTERN COMMAND...: it must succeed and print a match of the extended regex.
# check ! NAME PATTERN COMMAND...: it must fail and print one.
check() {
    local want=0 status out ok=ok
    if [ "$1" = ! ]; then want=1; shift; fi
    local name=$1 pattern=$2
    shift 2
    out=$("$@" 2>&1 </dev/null)
    status=$?
    [ $want = 0 ] && [ $status != 0 ] && ok="not ok"
    [ $want = 1 ] && [ $status = 0 ] && ok="not ok"
    [[ $out =~ $pattern ]] || ok="not ok"
    count=$((count + 1))
    echo "$ok $count - $tag: $name"
    if [ "$ok" != ok ] || [ -n "${VERBOSE:-}" ]; then
        printf '# $ %s\n' "${*//$'\n'/ }"
        sed 's/^/#   /' <<<"$out"
        [ "$ok" = ok ] || echo "#   (exit $status, wanted: $pattern)"
    fi
}

apply_text() { printf '%s' "$1" | k apply "${@:2}" -f -; }
create_text() { printf '%s' "$1" | k create "${@:2}" -f -; }

user='apiVersion: drun.io/v1
kind: User
metadata: {name: alice, labels: {team: red}}
spec: {displayName: Alice, email: alice@example.com, groups: [dev]}
'
user2=${user/displayName: Alice, /}
model='apiVersion: drun.io/v1
kind: Model
metadata: {name: gemma, namespace: demo}
spec: {artifact: {path: /models/gemma.gguf, format: gguf}, license: Apache-2.0}
---
apiVersion: drun.io/v1
kind: ModelService
metadata: {name: gemma, namespace: demo}
spec:
  modelRef: {name: gemma}
  engine: {kind: llama.cpp, args: ["-c", "4096"], env: [{name: A, value: "1"}, {name: B, value: "2"}]}
  resources: {limits: {cpu: "2", memory: 1Gi}}
'
config='apiVersion: v1
kind: ConfigMap
metadata: {name: app, namespace: demo}
data: {a: "1", b: "2"}
'
config2=${config/, b: \"2\"/, c: \"3\"}

run_all() {
    check "version" 'v1\.32\.0\+drun' k version
    check "api-resources" 'modelservices +msvc +drun.io/v1 +true +ModelService' k api-resources
    check "api-resources -o wide" 'deletecollection' k api-resources -o wide
    check "api-versions" 'drun.io/v1.*rbac.authorization.k8s.io/v1.*v1' k api-versions
    check "create namespace" 'namespace/demo created' k create namespace demo
    check ! "create namespace again" 'AlreadyExists.*namespaces "demo" already exists' k create namespace demo
    check ! "a bad name is refused" 'Invalid' k create namespace Demo_1
    check "get ns" 'demo +Active +[0-9]+s' k get ns
    check "get by short and full name" 'demo' k get namespaces demo -o name
    check "create from YAML" 'user.drun.io/alice created' create_text "$user"
    check "delete" 'user.drun.io "alice" deleted' k delete user alice
    check "apply creates" 'user.drun.io/alice created' apply_text "$user"
    check "apply again changes nothing" 'user.drun.io/alice unchanged' apply_text "$user"
    check "apply drops what the file drops" 'user.drun.io/alice configured' apply_text "$user2"
    check "it is dropped" '^x$' k get user alice -o 'jsonpath=x{.spec.displayName}'
    check "apply two kinds" 'model.drun.io/gemma created.*modelservice.drun.io/gemma created' apply_text "$model"
    check "apply two kinds again" 'model.drun.io/gemma unchanged.*modelservice.drun.io/gemma unchanged' apply_text "$model"
    check "a default is filled in" '^1$' k get msvc gemma -n demo -o 'jsonpath={.spec.replicas}'
    check "apply a core kind" 'configmap/app created' apply_text "$config"
    check "apply a core kind again" 'configmap/app unchanged' apply_text "$config"
    check "apply a changed core kind" 'configmap/app configured' apply_text "$config2"
    check "it is merged" '^\{"a":"1","c":"3"\}' k get cm app -n demo -o 'jsonpath={.data}'
    check "apply --dry-run=server" 'server dry run' apply_text "${config2/\"1\"/\"9\"}" --dry-run=server
    check "a dry run changes nothing" '^1$' k get cm app -n demo -o 'jsonpath={.data.a}'
    check "get table" 'NAME +DISPLAY NAME +EMAIL +STATE +AGE.*alice +.*alice@example.com' k get users
    check "get wide" 'LAST LOGIN' k get users -o wide
    check "get -o yaml" 'kind: User.*resourceVersion' k get user alice -o yaml
    check "get -o json" '"kind": "User"' k get user alice -o json
    check "get -o name" 'user.drun.io/alice' k get user -o name
    check "get list -o yaml" 'kind: List' k get users -o yaml
    check "get all namespaces" 'NAMESPACE.*demo +app' k get cm -A
    check "get several kinds" 'model.drun.io/gemma.*modelservice.drun.io/gemma' k get models,msvc -n demo
    check "get a category" 'user.drun.io/alice.*' k get drun -A
    check "custom columns" 'alice +false' k get users -o custom-columns=N:.metadata.name,D:.spec.disabled --no-headers
    check "sort-by" 'alice' k get users --sort-by=.metadata.name
    check "show-labels" 'team=red' k get users --show-labels
    check ! "get what is not there" 'NotFound.*users.drun.io "bob" not found' k get user bob
    check ! "get an unknown kind" "doesn't have a resource type" k get pods
    check "label selector" 'alice' k get users -l team=red -o name
    check "label selector, sets" 'alice' k get users -l 'team in (red, blue),!old' -o name
    check "label selector without a match" 'No resources found' k get users -l team=blue
    check "field selector" 'alice' k get users --field-selector metadata.name=alice -o name
    check ! "unknown field selector" 'field label not supported: spec.none' k get users --field-selector spec.none=1
    check "describe" 'Name: +alice.*Labels: +team=red.*Spec:' k describe user alice
    check "describe namespace" 'Name: +demo.*Status: +Active' k describe ns demo
    check "describe configmap" 'Data.*a:' k describe cm app -n demo
    check "label" 'user.drun.io/alice labeled' k label user alice tier=gold
    check ! "label without --overwrite" 'already has a value' k label user alice tier=tin
    check "label --overwrite" 'labeled' k label user alice tier=tin --overwrite
    check "label is removed" '(un)?labeled' k label user alice tier-
    check "annotate" 'user.drun.io/alice annotated' k annotate user alice note=hello
    check "patch merge" 'alice patched' k patch user alice --type=merge -p '{"spec":{"displayName":"Al"}}'
    check "patch json" 'alice patched' k patch user alice --type=json -p '[{"op":"replace","path":"/spec/displayName","value":"Ally"}]'
    check ! "patch json that does not fit" 'invalid|Invalid' k patch user alice --type=json -p '[{"op":"test","path":"/spec/displayName","value":"no"}]'
    check "patch strategic" 'modelservice.drun.io/gemma patched' k patch msvc gemma -n demo --type=strategic -p '{"spec":{"engine":{"env":[{"name":"B","value":"3"},{"name":"C","value":"4"},{"name":"A","$patch":"delete"}]}}}'
    check "patch strategic merged by name" 'B=3,C=4,$' k get msvc gemma -n demo -o 'jsonpath={range .spec.engine.env[*]}{.name}={.value},{end}'
    check ! "patch with a wrong type" 'must be of type boolean' k patch user alice --type=merge -p '{"spec":{"disabled":"yes"}}'
    printf '#!/bin/sh\nsed -i "s/displayName: Ally/displayName: Edited/" "$1"\n' >"$work/editor"
    chmod +x "$work/editor"
    check "edit" 'alice edited' env EDITOR="$work/editor" "$kubectl" --cache-dir="$work/cache-$tag" --server="$address" edit user alice
    check "it is edited" '^Edited$' k get user alice -o 'jsonpath={.spec.displayName}'
    printf '#!/bin/sh\nsed -i "s/c: \\"3\\"/c: \\"4\\"/" "$1"\n' >"$work/editor"
    check "edit a core kind" 'app edited' env EDITOR="$work/editor" "$kubectl" --cache-dir="$work/cache-$tag" --server="$address" -n demo edit cm app
    check ! "diff shows a change" 'a: "7"' diff_text "${config2/\"1\"/\"7\"}"
    check "diff shows none" '^$' diff_text "${config2/\"3\"/\"4\"}"
    check "replace" 'alice replaced' replace_text "$user"
    check ! "replace an old revision" 'Conflict.*the object has been modified' replace_text "${user/name: alice/name: alice, resourceVersion: \"1\"}"
    check "create configmap" 'configmap/c2 created' k create cm c2 -n demo --from-literal=x=1
    check "create secret" 'secret/s1 created' k create secret generic s1 -n demo --from-literal=pw=hunter2
    check "secret table" 's1 +Opaque +1' k get secrets -n demo
    check "secret value" '^aHVudGVyMg==$' k get secret s1 -n demo -o 'jsonpath={.data.pw}'
    check "create serviceaccount" 'serviceaccount/bot created' k create sa bot -n demo
    check "create role" 'role.rbac.authorization.k8s.io/r created' k create role r -n demo --verb=get --resource=configmaps
    check "create clusterrole" 'clusterrole.rbac.authorization.k8s.io/cr created' k create clusterrole cr --verb=get,list --resource=users.drun.io
    check "create rolebinding" 'rolebinding.rbac.authorization.k8s.io/rb created' k create rolebinding rb -n demo --role=r --user=alice --serviceaccount=demo:bot
    check "rolebinding wide" 'Role/r +[0-9a-z]+ +alice.*demo/bot|Role/r +alice' k get rolebinding -n demo -o wide
    check "create clusterrolebinding" 'created' k create clusterrolebinding crb --clusterrole=cr --group=dev
    check "describe role" 'configmaps' k describe role r -n demo
    check "describe rolebinding" 'ServiceAccount +bot' k describe rolebinding rb -n demo
    check "describe serviceaccount" 'Name: +bot' k describe sa bot -n demo
    check "describe secret hides values" 'pw: +7 bytes' k describe secret s1 -n demo
    check ! "a role reference is immutable" 'immutable|cannot' k patch rolebinding rb -n demo --type=merge -p '{"roleRef":{"name":"other"}}'
    check ! "unknown fields are refused or told" 'unknown field|unknown' create_text "${user/alice/eve}bogus: 1
" --validate=true
    check "explain" 'KIND: +User.*spec' k explain users
    check "explain a field" 'maxTokens' k explain msvc.spec.limits
    check "explain a leaf" 'cidrs' k explain apikey.spec.scopes.cidrs
    check "explain a core kind" 'stringData' k explain secret
    check "auth can-i, yes" 'yes' k auth can-i create users.drun.io
    check ! "auth can-i, no" 'no' as alice auth can-i create users.drun.io
    check "auth can-i --list" '\*\.\*' k auth can-i --list -n demo
    check ! "forbidden" 'Forbidden.*users.drun.io.*"alice" cannot delete resource "users" in API group "drun.io" at the cluster scope' as alice delete user alice --wait=false
    check ! "forbidden in a namespace" 'secrets is forbidden: User "alice" cannot list resource "secrets" in API group "" in the namespace "demo"' as alice get secrets -n demo
    check ! "create in a namespace that is not there" 'namespaces "nowhere" not found' k create cm x -n nowhere
    check "generateName" 'user.drun.io/gen-[a-z0-9]{5} created' create_text "${user/name: alice/generateName: gen-}"
    check "chunks" 'gen-.*' k get users --chunk-size=1 -o name
    check "scale" 'scaled' k scale msvc/gemma -n demo --replicas=5
    check "scale sets the number" '^5$' k get msvc gemma -n demo -o 'jsonpath={.spec.replicas}'
    check ! "scale from another number" 'xpected replicas to be 2' k scale msvc/gemma -n demo --current-replicas=2 --replicas=3
    check "scale from this number" 'scaled' k scale msvc/gemma -n demo --current-replicas=5 --replicas=3
    check ! "scale too high" 'less than or equal to 32' k scale msvc/gemma -n demo --replicas=33
    check "scale is seen" 'autoscaling/v1.*:3' k get --raw /apis/drun.io/v1/namespaces/demo/modelservices/gemma/scale
    check "scale by merge patch" 'patched' k patch msvc gemma -n demo --type=merge -p '{"spec":{"replicas":2}}'
    check "generation counts" '^[2-9]$' k get msvc gemma -n demo -o 'jsonpath={.metadata.generation}'
    check "raw" '"kind":"APIGroupList"' k get --raw /apis
    [ "$tag" = v1.20 ] || new_only
    watch_test
    check "delete by label" 'deleted' k delete users -l team=red
    check "delete a namespaced object" 'configmap "app" deleted' k delete cm app -n demo
    check "delete --all" 'deleted' k delete cm --all -n demo
    check ! "delete what is not there" 'NotFound' k delete user alice
    check "delete --ignore-not-found" '^$' k delete user alice --ignore-not-found
    check "clean up" 'deleted' k delete msvc,models,secrets,sa,roles,rolebindings --all -n demo
    check "clean up cluster kinds" 'deleted' k delete clusterroles,clusterrolebindings,users --all
    check "delete namespace" 'namespace "demo" deleted' k delete ns demo
}

diff_text() { printf '%s' "$1" | k diff -f -; }
replace_text() { printf '%s' "$1" | k replace -f -; }

watch_test() {
    k get users -w --output-watch-events >"$work/watched" 2>&1 &
    watcher=$!
    for _ in $(seq 50); do grep -q alice "$work/watched" && break; sleep 0.1; done
    k create -f - <<<"${user/name: alice/name: walt}" >/dev/null 2>&1
    k patch user walt --type=merge -p '{"spec":{"email":"w@example.com"}}' >/dev/null
    k delete user walt >/dev/null
    for _ in $(seq 50); do grep -q 'DELETED *walt' "$work/watched" && break; sleep 0.1; done
    kill "$watcher" 2>/dev/null
    wait "$watcher" 2>/dev/null
    watcher=
    check "get -w" 'ADDED +walt.*MODIFIED +walt.*w@example.com.*DELETED +walt' cat "$work/watched"
}

new_only() {
    check "auth whoami" 'Username +admin' k auth whoami
    check "create token" 'header.payload.signature' k create token bot -n demo
    check "wait for a field" 'condition met' k wait --for=jsonpath='{.spec.email}'=alice@example.com user/alice --timeout=5s
    check "get --subresource" 'alice' k get user alice --subresource=status
    check "patch --subresource" 'patched' k patch user alice --subresource=status --type=merge -p '{"status":{"passwordSet":true}}'
    check "the status is set" '^true$' k get user alice -o 'jsonpath={.status.passwordSet}'
    check ! "strict validation names the path" 'strict decoding error: unknown field "spec.bogus"' create_text "${user/groups:/bogus: 1, groups:}"
    zed=${user/name: alice/name: zed}
    check "validation as a warning" 'Warning: unknown field "spec.bogus".*created' create_text "${zed/groups:/bogus: 1, groups:}" --validate=warn
    check "explain --recursive" 'requestsPerMinute' k explain msvc --recursive
    check "apply --server-side creates" 'ssa serverside-applied' apply_text "${user/name: alice/name: ssa}" --server-side
    check "apply --server-side again" 'ssa serverside-applied' apply_text "${user2/name: alice/name: ssa}" --server-side
    check "what is not applied is gone" '^x$' k get user ssa -o 'jsonpath=x{.spec.displayName}'
    ssa=${user2/name: alice/name: ssa}
    check ! "another manager meets a conflict" 'conflict with "kubectl": .spec.email' apply_text "${ssa/alice@/bob@}" --server-side --field-manager=other
    check "and may force it" 'serverside-applied' apply_text "${ssa/alice@/bob@}" --server-side --field-manager=other --force-conflicts
    check "watch ends by itself" '^' k get --raw '/apis/drun.io/v1/users?watch=true&timeoutSeconds=1'
}

for kubectl in "$@"; do
    tag=$(basename "$kubectl")
    if ! version=$("$kubectl" version --client 2>/dev/null); then
        count=$((count + 1))
        echo "ok $count - $kubectl # SKIP not installed"
        continue
    fi
    tag=$(grep -oE 'v1\.[0-9]+' <<<"$version" | head -1)
    run_all
done
echo "1..$count"
