/**
 * @file
 * weir: one bounded pool of warm HTTP connections for a process.
 *
 * Include this one; it brings all the others.
 */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include <weir/call.h>
#include <weir/error.h>
#include <weir/export.h>
#include <weir/memory.h>
#include <weir/node.h>
#include <weir/pool.h>
#include <weir/request.h>
#include <weir/response.h>
#include <weir/settings.h>
#include <weir/version.h>

#endif
