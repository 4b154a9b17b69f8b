# The flags of every target, and the two shapes of target that folders repeat: tests and fuzz targets.

add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Wvla -Wundef -Wcast-align -Wwrite-strings -Werror
    -fno-common)
add_compile_options($<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>)
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions> $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>)
# Paths in messages and debug data are relative to the repository: builds do not depend on where it lies.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)

if(UPD_SANITIZE OR UPD_FUZZ)
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=address,undefined)
endif()
if(UPD_COVERAGE)
    # Without optimisation, so that a line of the report is a line of the source.
    add_compile_options(--coverage -O0)
    add_link_options(--coverage)
endif()
if(UPD_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# upd_add_tests(FOLDER name LIBS lib...): each test/NAME_test.c, on the host also NAME_test.cpp, of the current folder becomes the
# program FOLDER_NAME_test and the ctest FOLDER/NAME. A test reads its vectors below UPD_VECTORS. What needs
# more memory or time than the bare CPU has is in test/NAME_host_test.c.
function(upd_add_tests folder)
    cmake_parse_arguments(arg "" "" "LIBS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS test/*_test.c)
    if(NOT UPD_CORE_ONLY)
        file(GLOB more CONFIGURE_DEPENDS test/*_test.cpp)
        list(APPEND sources ${more})
    endif()
    if(UPD_BARE)
        list(FILTER sources EXCLUDE REGEX "_host_test\\.c$")
    endif()
    foreach(source IN LISTS sources)
        get_filename_component(name ${source} NAME_WE)
        string(REGEX REPLACE "_test$" "" name ${name})
        set(target ${folder}_${name}_test)
        add_executable(${target} ${source})
        target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/core/test test src)
        target_compile_definitions(${target} PRIVATE UPD_VECTORS="${CMAKE_CURRENT_SOURCE_DIR}/test/vectors")
        target_link_libraries(${target} PRIVATE ${arg_LIBS} updraft_check)
        if(COMMAND upd_link_bare)
            upd_link_bare(${target})
        endif()
        add_test(NAME ${folder}/${name} COMMAND ${target})
    endforeach()
endfunction()

# upd_add_fuzz(FOLDER LIBS lib...): each fuzz/NAME_fuzz.c becomes the libFuzzer program NAME_fuzz.
function(upd_add_fuzz folder)
    if(NOT UPD_FUZZ)
        return()
    endif()
    cmake_parse_arguments(arg "" "" "LIBS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS fuzz/*_fuzz.c)
    foreach(source IN LISTS sources)
        get_filename_component(name ${source} NAME_WE)
        add_executable(${name} ${source})
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
        target_link_libraries(${name} PRIVATE ${arg_LIBS})
    endforeach()
endfunction()
