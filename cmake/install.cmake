# What `cmake --install` puts where: libraries, headers, weir.pc, the CMake
# package, man pages, and the command when it is built.
include(CMakePackageConfigHelpers)

# Two export sets: a program that links weir::weir needs none of the packages
# that weir::static brings along.
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weir)
install(TARGETS weir_shared EXPORT weirTargets)
install(TARGETS weir_static EXPORT weirStaticTargets)
install(EXPORT weirTargets NAMESPACE weir:: DESTINATION ${package_dir})
install(EXPORT weirStaticTargets NAMESPACE weir:: DESTINATION ${package_dir})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/weir
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
if(TARGET weir_command)
    install(TARGETS weir_command)
endif()
file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.1)
install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/weirConfig.cmake.in
    ${PROJECT_BINARY_DIR}/weirConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/weirConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/weirConfig.cmake
              ${PROJECT_BINARY_DIR}/weirConfigVersion.cmake
    DESTINATION ${package_dir})

# weir.pc finds its prefix from where it lies, so that `--prefix` and DESTDIR
# need no second configuration.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_INCLUDEDIR
    BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
    OUTPUT_VARIABLE pc_includedir)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
    BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
    OUTPUT_VARIABLE pc_prefix)
set(pc_requires "libssl >= 3.0, libcrypto, libcares >= 1.16")
if(WEIR_YAML)
    string(APPEND pc_requires ", libfyaml")
endif()
if(WEIR_ZLIB)
    string(APPEND pc_requires ", zlib")
endif()
if(WEIR_BROTLI)
    string(APPEND pc_requires ", libbrotlidec")
endif()
if(WEIR_ZSTD)
    string(APPEND pc_requires ", libzstd >= 1.4")
endif()
set(pc_libs -pthread)
if(WEIR_IDNA)
    # libidn2.pc asks for libunistring, which Debian's libidn2-dev does not
    # bring: then libidn2.so has to find it.
    find_library(WEIR_UNISTRING unistring)
    mark_as_advanced(WEIR_UNISTRING)
    if(WEIR_UNISTRING)
        string(APPEND pc_requires ", libidn2")
    else()
        string(PREPEND pc_libs "-lidn2 ")
    endif()
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/weir.pc.in
    ${PROJECT_BINARY_DIR}/weir.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/weir.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
