# What weir watch serves to a browser, as bytes of the program: the page must
# need no file at run time.  Made when the build is configured, and again when
# one of them changes.
set(text "/* Made by the build from page.html and its like. */\n")
string(APPEND text "#include \"watch/page_files.h\"\n")
foreach(kind html css js svg)
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/watch/page.${kind})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
    file(READ ${source} bytes HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    string(APPEND text
        "const unsigned char page_${kind}[] = {${bytes}};\n"
        "const size_t page_${kind}_len = sizeof page_${kind};\n")
endforeach()
set(watch_page_files ${CMAKE_CURRENT_BINARY_DIR}/page_files.c)
file(CONFIGURE OUTPUT ${watch_page_files} CONTENT "${text}" @ONLY)
