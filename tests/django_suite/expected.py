"""Tests of Django that pass on the plain backend and not inside a tenant, each under its reason."""

from __future__ import annotations

_BY_REASON = {
    "deletes a user, a group, a permission or a content type inside a tenant, or has the admin ask; rows of all "
    "tenants may refer to it": """
        admin_views.test_multidb.ViewOnSiteTests.test_contenttype_in_separate_db
        admin_views.tests.AdminCustomTemplateTests.test_extended_bodyclass_template_delete_confirmation
        admin_views.tests.AdminCustomTemplateTests.test_extended_bodyclass_template_delete_selected_confirmation
        admin_views.tests.AdminKeepChangeListFiltersTests.test_delete_view
        admin_views.tests.AdminViewProxyModelPermissionsTests.test_delete
        admin_views.tests.NamespacedAdminKeepChangeListFiltersTests.test_delete_view
        admin_views.tests.UserAdminTest.test_user_fk_delete_popup
        auth_tests.test_management.CreatePermissionsMultipleDatabasesTests.test_set_permissions_fk_to_using_parameter
        auth_tests.test_management.CreatePermissionsTests.test_create_permissions_checks_contenttypes_created
        auth_tests.test_management.CreatePermissionsTests.test_default_permissions
        auth_tests.test_migrations.MultiDBProxyModelAppLabelTests.test_migrate_other_database
        auth_tests.test_migrations.ProxyModelWithDifferentAppLabelTests.test_migrate_backwards
        auth_tests.test_migrations.ProxyModelWithDifferentAppLabelTests.test_proxy_model_permissions_contenttype
        auth_tests.test_migrations.ProxyModelWithDifferentAppLabelTests.test_user_has_now_proxy_model_permissions
        auth_tests.test_migrations.ProxyModelWithDifferentAppLabelTests.test_user_keeps_same_permissions_after_migrating_backward
        auth_tests.test_migrations.ProxyModelWithSameAppLabelTests.test_migrate_backwards
        auth_tests.test_migrations.ProxyModelWithSameAppLabelTests.test_migrate_with_existing_target_permission
        auth_tests.test_migrations.ProxyModelWithSameAppLabelTests.test_proxy_model_permissions_contenttype
        auth_tests.test_migrations.ProxyModelWithSameAppLabelTests.test_user_keeps_same_permissions_after_migrating_backward
        auth_tests.test_migrations.ProxyModelWithSameAppLabelTests.test_user_still_has_proxy_model_permissions
        contenttypes_tests.test_management.RemoveStaleContentTypesTests.test_contenttypes_removed_for_apps_not_in_installed_apps
        contenttypes_tests.test_management.RemoveStaleContentTypesTests.test_contenttypes_removed_in_installed_apps_without_models
        contenttypes_tests.test_management.RemoveStaleContentTypesTests.test_interactive_false
        contenttypes_tests.test_management.RemoveStaleContentTypesTests.test_interactive_true_with_dependent_objects
        contenttypes_tests.test_management.RemoveStaleContentTypesTests.test_interactive_true_without_dependent_objects
        contenttypes_tests.test_migrations.MultiDBRemoveContentTypeNameTests.test_add_legacy_name_other_database
        contenttypes_tests.test_models.ContentTypesTests.test_get_for_models_creation
        multiple_database.tests.MigrateTestCase.test_migrate_to_other_database
        multiple_database.tests.MigrateTestCase.test_migrate_to_other_database_with_router
        multiple_database.tests.QueryTestCase.test_contenttype_in_separate_db
        swappable_models.tests.SwappableModelTests.test_generated_data
    """,
    "counts indexes on the column of a foreign key alone; ours is on (tenant, column)": """
        schema.tests.SchemaTests.test_add_inline_fk_update_data
        schema.tests.SchemaTests.test_alter_field_fk_keeps_index
        schema.tests.SchemaTests.test_alter_field_fk_to_o2o
        schema.tests.SchemaTests.test_alter_field_o2o_to_fk
        schema.tests.SchemaTests.test_foreign_key_index_long_names_regression
    """,
    "inserts by raw SQL, which names no tenant; the row is nobody's and stays unseen": """
        backends.tests.BackendTestCase.test_cursor_execute_with_pyformat
        backends.tests.BackendTestCase.test_cursor_executemany
        backends.tests.BackendTestCase.test_cursor_executemany_with_iterator
        backends.tests.BackendTestCase.test_cursor_executemany_with_pyformat
        backends.tests.BackendTestCase.test_cursor_executemany_with_pyformat_iterator
        field_defaults.tests.DefaultTests.test_both_default
        timezones.tests.LegacyDatabaseTests.test_cursor_execute_accepts_naive_datetime
        timezones.tests.NewDatabaseTests.test_cursor_execute_accepts_aware_datetime
    """,
    "compares the text of a statement or counts its parameters; the tenant is among them": """
        delete.tests.DeletionTests.test_only_referenced_fields_selected
        lookup.tests.LookupTests.test_in_keeps_value_ordering
        model_forms.tests.ModelMultipleChoiceFieldTests.test_clean_does_deduplicate_values
        queries.tests.Queries1Tests.test_subquery_condition
    """,
    "makes or alters tables, views, schemas or functions by SQL of its own, or in a transaction of the application's "
    "login; they are the owner's, and the application may not": """
        backends.postgresql.test_introspection.DatabaseSequenceTests.test_get_sequences
        backends.postgresql.test_introspection.DatabaseSequenceTests.test_get_sequences_old_serial
        backends.test_utils.CursorWrapperTests.test_callproc_with_int_params
        backends.test_utils.CursorWrapperTests.test_callproc_without_params
        indexes.tests.SchemaIndexesTests.test_alter_field_unique_false_removes_deferred_sql
        inspectdb.tests.InspectDBTestCase.test_unsupported_unique_together
        inspectdb.tests.InspectDBTransactionalTests.test_include_materialized_views
        inspectdb.tests.InspectDBTransactionalTests.test_include_partitions
        inspectdb.tests.InspectDBTransactionalTests.test_include_views
        introspection.tests.IntrospectionTests.test_django_table_names
        introspection.tests.IntrospectionTests.test_postgresql_real_type
        introspection.tests.IntrospectionTests.test_table_names_with_views
        model_indexes.tests.IndexesTests.test_func_with_tablespace
        schema.tests.SchemaTests.test_add_datefield_and_datetimefield_use_effective_default
        schema.tests.SchemaTests.test_alter_serial_auto_field_to_bigautofield
        schema.tests.SchemaTests.test_namespaced_db_table_foreign_key_reference
    """,
    "compares classes of cursors; ours are subclasses of those asked for, which send the context": """
        backends.postgresql.tests.Tests.test_connect_custom_cursor_factory
        backends.postgresql.tests.Tests.test_connect_server_side_binding
    """,
    "restores rows that name no tenant, because the tests' tenant field is left out of what is serialized": """
        backends.base.test_creation.TestDeserializeDbFromString.test_circular_reference
    """,
    "replaces a method of Django's connection by one that calls the subclass's, which calls it": """
        test_utils.tests.AssertNumQueriesUponConnectionTests.test_ignores_connection_configuration_queries
    """,
    "expects that no app is connected to Django's signals; ours is, for models of its own": """
        signals.tests.SignalTests.test_disconnect_in_dispatch
    """,
}

#: The reason for each test.
EXPECTED = {test: reason for reason, tests in _BY_REASON.items() for test in tests.split()}
