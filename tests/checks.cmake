# Checks of the house itself: layers, symbols, ABI, installation, docs.  They
# look at what ships, so a build with sanitizers leaves them out.
if(WEIR_SANITIZE)
    return()
endif()

function(weir_check name)
    add_test(NAME ${name} COMMAND ${ARGN})
    set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS house)
endfunction()

set(scripts ${PROJECT_SOURCE_DIR}/scripts)
weir_check(check_layers ${Python3_EXECUTABLE} ${scripts}/check-layers)
weir_check(check_symbols ${Python3_EXECUTABLE} ${scripts}/check-symbols
    ${PROJECT_BINARY_DIR})
weir_check(check_layers_selftest ${Python3_EXECUTABLE}
    ${CMAKE_CURRENT_SOURCE_DIR}/checks/test_layers.py)
weir_check(check_symbols_selftest ${Python3_EXECUTABLE}
    ${CMAKE_CURRENT_SOURCE_DIR}/checks/test_symbols.py)

weir_check(check_security ${Python3_EXECUTABLE}
    ${CMAKE_CURRENT_SOURCE_DIR}/checks/test_security.py)
weir_check(check_reliability ${Python3_EXECUTABLE} ${scripts}/reliability
    --check ${PROJECT_BINARY_DIR})
weir_check(check_reliability_selftest ${Python3_EXECUTABLE}
    ${CMAKE_CURRENT_SOURCE_DIR}/checks/test_reliability.py)

if(CMAKE_BUILD_TYPE MATCHES Rel)
    set(hardened $<TARGET_FILE:weir_shared> $<TARGET_FILE:weir_static>)
    if(TARGET weir_command)
        list(APPEND hardened $<TARGET_FILE:weir_command>)
    endif()
    weir_check(check_hardening ${Python3_EXECUTABLE}
        ${scripts}/check-hardening ${hardened})
endif()
weir_check(check_hardening_selftest ${Python3_EXECUTABLE}
    ${CMAKE_CURRENT_SOURCE_DIR}/checks/test_hardening.py)

# The layout test is decided by the compiler.
add_executable(abi_layout abi/layout.c)
target_link_libraries(abi_layout PRIVATE weir_flags)
target_include_directories(abi_layout PRIVATE ${PROJECT_SOURCE_DIR}/include)
weir_check(abi_layout abi_layout)
weir_check(abi_symbols ${CMAKE_CURRENT_SOURCE_DIR}/abi/symbols.sh
    $<TARGET_FILE:weir_shared>)

weir_check(install ${CMAKE_CURRENT_SOURCE_DIR}/install/check.sh
    ${PROJECT_BINARY_DIR})
set_tests_properties(install PROPERTIES LABELS "house;install")

find_program(DOXYGEN doxygen)
if(DOXYGEN)
    weir_check(docs ${scripts}/build-docs ${PROJECT_BINARY_DIR}/docs)
    weir_check(docs_selftest ${Python3_EXECUTABLE}
        ${CMAKE_CURRENT_SOURCE_DIR}/checks/test_docs.py)
endif()
