# Databricks notebook source
dbutils.widgets.text("model_name", "")
dbutils.widgets.text("model_version", "")
dbutils.notebook.exit(dbutils.widgets.get("model_name") + " v" + dbutils.widgets.get("model_version"))
