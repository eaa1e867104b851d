/**
 * @file
 * Which names the shared library shows, and what compilers are told of them.
 */
#ifndef WEIR_EXPORT_H
#define WEIR_EXPORT_H

#if defined(__GNUC__) || defined(__clang__)
/** Marks a function that the shared library shows. */
#define WEIR_API __attribute__((visibility("default")))
/** Marks a function with a format as printf() has it; both count from 1. */
#define WEIR_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define WEIR_API
#define WEIR_PRINTF(text, first)
#endif

#endif
