# SPDX-License-Identifier: Apache-2.0
from gateway_rig import echo_gateway, engine, folder, gateway  # noqa: F401
