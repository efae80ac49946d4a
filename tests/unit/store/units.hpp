// SPDX-License-Identifier: BSD-2-Clause
// The store's engine as it is shipped.
#pragma once

#include "pvdrivers/store/accounts.cpp"
#include "pvdrivers/store/check.cpp"
#include "pvdrivers/store/node_list.cpp"
#include "pvdrivers/store/node_requests.cpp"
#include "pvdrivers/store/number.cpp"
#include "pvdrivers/store/other_requests.cpp"
#include "pvdrivers/store/path.cpp"
#include "pvdrivers/store/permissions.cpp"
#include "pvdrivers/store/region.cpp"
#include "pvdrivers/store/requests.cpp"
#include "pvdrivers/store/rings.cpp"
#include "pvdrivers/store/server.cpp"
#include "pvdrivers/store/text.cpp"
#include "pvdrivers/store/transactions.cpp"
#include "pvdrivers/store/tree.cpp"
#include "pvdrivers/store/watches.cpp"
