/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kube_internal.h"

int kube_do_apply(struct kube_call *call)
{
    return kube_refuse(call, 415, "UnsupportedMediaType", NULL,
                       "server-side apply is not supported: use kubectl apply without "
                       "--server-side");
}
