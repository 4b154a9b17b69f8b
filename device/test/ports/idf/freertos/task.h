#ifndef TASK_H
#define TASK_H

#include <freertos/FreeRTOS.h>

typedef void *TaskHandle_t;
void vTaskDelay(const TickType_t xTicksToDelay);
void vTaskDelete(TaskHandle_t xTaskToDelete);

#endif
