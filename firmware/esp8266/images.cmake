# The clock's images for the ESP8266: clock-VERSION[-mapN]-userN.bin, composed by the host's `updraft`.
#
# A build is NAME:FAULT:INTERVAL, of which VERSION is NAME, for a server of files; or NAME:FAULT:SERVER:VERSION, for a cloud at
# that name or address. FAULT is none, or what build.h knows. Each is made for both slots of each map:
# 2 (1 MiB, two slots of 512 KiB, each with a link address of its own) and 6 (4 MiB, two slots of 1024 KiB, one link
# address). The first map's images have no map in their names.
set(UPD_CLOCK_VARIANTS 1.0.0:none:1w 1.0.1:none:1w 1.0.2:none:1w 1.0.0-often:none:30s
    1.0.3-crash:crash:1w 1.0.4-hang:hang:1w 1.0.5-mute:mute:1w
    "cloud-1.0.0:none:updraft.local:v1.0.0t45772(a)" "cloud-1.0.1:none:updraft.local:v1.0.1t45772(a)"
    "cloud-1.0.2:none:updraft.local:v1.0.2t45772(a)" "cloud-1.0.3-crash:crash:updraft.local:v1.0.3t45772(a)"
    "cloud-1.0.4-mute:mute:updraft.local:v1.0.4t45772(a)"
    CACHE STRING "the clock's builds, each NAME:FAULT:INTERVAL or NAME:FAULT:SERVER:VERSION")
set(UPD_CLOCK_MAPS 2 6 CACHE STRING "flash maps that the clock is built for")

# The tool of the release preset, as `./dev build` makes it.
set(tool ${CMAKE_SOURCE_DIR}/build/release/tools/updraft)
add_custom_target(clock_tool
    COMMAND ${CMAKE_COMMAND} --preset release > ${CMAKE_CURRENT_BINARY_DIR}/tool.log
    COMMAND ${CMAKE_COMMAND} --build --preset release --target updraft >> ${CMAKE_CURRENT_BINARY_DIR}/tool.log
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    BYPRODUCTS ${tool}
    COMMENT "The host's updraft, for the clock's images" VERBATIM)

set(script ${CMAKE_CURRENT_LIST_DIR}/clock.ld)
# Behind all the others, which need it.
set(CMAKE_C_STANDARD_LIBRARIES -lgcc)
add_library(updraft_clock_chip OBJECT esp8266/main.c esp8266/chip.c esp8266/chip_flash.c esp8266/radio.c)
target_link_libraries(updraft_clock_chip PUBLIC updraft_clock)

# upd_clock_image(NAME VERSION FAULT INTERVAL SERVER MAP SLOT); SERVER may be empty
function(upd_clock_image name version fault interval server map slot)
    # 0x40200000 + the slot's address modulo 1 MiB + 0x10
    if(slot EQUAL 2 AND map LESS 5)
        set(irom 0x40281010)
    else()
        set(irom 0x40201010)
    endif()
    string(TOUPPER ${fault} fault)
    add_executable(${name} esp8266/build.c)
    target_compile_definitions(${name} PRIVATE CLOCK_VERSION="${version}" CLOCK_CHECK_EVERY="${interval}"
        CLOCK_SLOT=${slot} CLOCK_FAULT=FAULT_${fault})
    if(server)
        target_compile_definitions(${name} PRIVATE CLOCK_SERVER="${server}")
    endif()
    target_link_libraries(${name} PRIVATE updraft_clock_chip)
    target_link_options(${name} PRIVATE -nostdlib -Wl,--gc-sections -Wl,--fatal-warnings
        -Wl,--defsym=irom_address=${irom} -T ${script})
    set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS ${script})
    set_target_properties(${name} PROPERTIES SUFFIX .elf)
    add_custom_command(OUTPUT ${name}.bin
        COMMAND ${tool} image build --slot user${slot} --map ${map} $<TARGET_FILE:${name}> -o ${name}.bin
            > ${name}.log
        DEPENDS ${name} ${tool} clock_tool VERBATIM)
    set_property(GLOBAL APPEND PROPERTY UPD_CLOCK_IMAGES ${CMAKE_CURRENT_BINARY_DIR}/${name}.bin)
endfunction()

list(GET UPD_CLOCK_MAPS 0 first_map)
foreach(build IN LISTS UPD_CLOCK_VARIANTS)
    string(REPLACE ":" ";" parts ${build})
    list(GET parts 0 build_name)
    list(GET parts 1 fault)
    list(GET parts 2 interval)
    set(version ${build_name})
    set(server "")
    list(LENGTH parts count)
    if(count EQUAL 4)
        list(GET parts 2 server)
        list(GET parts 3 version)
        set(interval 0)
    endif()
    foreach(map IN LISTS UPD_CLOCK_MAPS)
        set(flavour "")
        if(NOT map EQUAL 2)
            set(flavour -map${map})
        endif()
        foreach(slot IN ITEMS 1 2)
            upd_clock_image(clock-${build_name}${flavour}-user${slot} "${version}" ${fault} ${interval} "${server}" ${map}
                ${slot})
        endforeach()
    endforeach()
endforeach()
get_property(images GLOBAL PROPERTY UPD_CLOCK_IMAGES)
add_custom_target(clock_images ALL DEPENDS ${images})
