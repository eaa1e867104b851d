# What weir watch serves to a browser, as bytes of the program: the page must
# need no file at run time.  Made when the build is configured, and again when
# one of them changes, so that checkers which only read the sources find it too.
set(text "/* Made by the build from page.html and its like. */\n")
foreach(kind html css js svg)
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/watch/page.${kind})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
    file(READ ${source} bytes HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    string(APPEND text
        "static const unsigned char page_${kind}[] = {${bytes}};\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/generated/page_files.h
    CONTENT "${text}" @ONLY)
