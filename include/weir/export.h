/**
 * @file
 * Which names the shared library shows.
 */
#ifndef WEIR_EXPORT_H
#define WEIR_EXPORT_H

#if defined(__GNUC__) || defined(__clang__)
/** Marks a function that the shared library shows. */
#define WEIR_API __attribute__((visibility("default")))
#else
#define WEIR_API
#endif

#endif
